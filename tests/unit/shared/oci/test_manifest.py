"""Descriptors, manifests and indexes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared import errdefs
from shared.oci import manifest, media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Index, Manifest

SHA = "sha256:" + "ab" * 32
CONFIG = {"mediaType": media_types.DOCKER_PLUGIN_CONFIG, "digest": SHA, "size": 1234}
LAYER = {"mediaType": media_types.DOCKER_LAYER_GZIP, "digest": SHA, "size": 99}


def body(**fields: object) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


def test_a_docker_plugin_manifest_parses() -> None:
    """A manifest as Docker's create makes it is read with all its descriptors."""
    parsed = manifest.parse(
        body(mediaType=media_types.DOCKER_MANIFEST, config=CONFIG, layers=[LAYER])
    )

    assert isinstance(parsed, Manifest)
    assert parsed.config.media_type == "application/vnd.docker.plugin.v1+json"
    assert [(layer.digest, layer.size) for layer in parsed.layers] == [(Digest(SHA), 99)]


def test_an_oci_artifact_manifest_parses() -> None:
    """Annotations, subject and artifact type are kept; unknown keys are ignored."""
    parsed = manifest.parse(
        body(
            mediaType=media_types.OCI_MANIFEST,
            config={**CONFIG, "annotations": None},
            layers=None,
            subject=LAYER,
            artifactType="application/x",
            annotations={"a": "b"},
            whatever=1,
        )
    )

    assert isinstance(parsed, Manifest)
    assert parsed.subject is not None
    assert (parsed.artifact_type, parsed.annotations, parsed.layers) == (
        "application/x",
        {"a": "b"},
        (),
    )


@pytest.mark.parametrize("media_type", sorted(media_types.INDEXES))
def test_an_index_parses_with_platforms(media_type: str) -> None:
    """A manifest list and an OCI index are both an Index."""
    platform = {"architecture": "arm64", "os": "linux", "variant": "v8", "os.version": "1"}
    parsed = manifest.parse(body(mediaType=media_type, manifests=[{**LAYER, "platform": platform}]))

    assert isinstance(parsed, Index)
    found = parsed.manifests[0].platform
    assert found is not None
    assert (found.architecture, found.variant, found.os_version) == ("arm64", "v8", "1")


@pytest.mark.parametrize(
    ("fields", "told", "expected"),
    [
        ({"config": CONFIG}, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ({"config": CONFIG}, "", media_types.OCI_MANIFEST),
        ({"manifests": []}, "", media_types.OCI_INDEX),
        ({"manifests": [], "mediaType": media_types.OCI_INDEX}, "x/y", media_types.OCI_INDEX),
    ],
)
def test_the_media_type_comes_from_body_registry_or_shape(
    fields: dict[str, Any], told: str, expected: str
) -> None:
    """The body's own type wins, then the registry's, then the shape."""
    assert manifest.parse(body(**fields), told).media_type == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "manifest is not JSON: unexpected end of JSON input"),
        (b"[]", "manifest is not a JSON object"),
        (body(config=CONFIG, manifests=[]), "it is ambiguous"),
        (body(config=CONFIG, mediaType="text/plain"), "unsupported manifest media type"),
        (body(config={}), "invalid manifest: config.mediaType: Field required"),
        (body(config={**CONFIG, "digest": "sha256:x"}), "config.digest: .*checksum digest"),
        (body(config={**CONFIG, "size": -1}), "config.size"),
        (json.dumps({"schemaVersion": 1, "config": CONFIG}).encode(), "schemaVersion"),
        (body(config=CONFIG, mediaType=["x"]), "unsupported manifest media type"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes, message: str) -> None:
    """Garbage, ambiguous bodies and wrong types are refused with the reason."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        manifest.parse(data)


def test_a_manifest_writes_only_what_it_has() -> None:
    """Absent fields are not written; the layers always are."""
    made = Manifest(
        media_type=media_types.DOCKER_MANIFEST, config=Descriptor.model_validate(CONFIG)
    )

    assert json.loads(made.to_json()) == {
        "schemaVersion": 2,
        "mediaType": media_types.DOCKER_MANIFEST,
        "config": CONFIG,
        "layers": [],
    }
    assert manifest.parse(made.to_json()) == made


def test_descriptors_are_frozen() -> None:
    """A descriptor can't be changed once made."""
    descriptor = Descriptor.model_validate(CONFIG)

    with pytest.raises(ValidationError, match="frozen"):
        descriptor.size = 1  # type: ignore[misc]  # what the test is about
