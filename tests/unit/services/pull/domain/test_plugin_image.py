"""Which manifests are plugins."""

from __future__ import annotations

import pytest

from services.pull.domain import plugin_image
from shared import errdefs
from shared.oci import manifest as oci_manifest
from shared.oci import media_types, reference
from shared.oci.manifest import Index, Manifest
from tests.support.plugin_image import image

REF = reference.parse("registry.test/a/p:1")
LAYER = {
    "mediaType": media_types.DOCKER_LAYER_GZIP,
    "digest": "sha256:" + "a" * 64,
    "size": 5,
}


def _manifest(**changes: object) -> Manifest:
    parsed = oci_manifest.parse(image().manifest)
    assert isinstance(parsed, Manifest)
    raw = parsed.model_dump(by_alias=True) | changes
    return Manifest.model_validate(raw)


def test_a_plugin_is_told_by_its_configs_type() -> None:
    """A Docker plugin passes as it is."""
    manifest = _manifest()
    assert plugin_image.require_plugin(REF, manifest) is manifest


@pytest.mark.parametrize("config_type", [media_types.DOCKER_IMAGE_CONFIG, media_types.OCI_EMPTY])
def test_other_configs_are_no_plugins(config_type: str) -> None:
    """The reason is in the detail, the text is Docker's."""
    config = {"mediaType": config_type, "digest": "sha256:" + "b" * 64, "size": 5}
    with pytest.raises(errdefs.InvalidArgument, match="did not find plugin config") as caught:
        plugin_image.require_plugin(REF, _manifest(config=config))
    assert config_type in caught.value.detail["reason"]


def test_an_index_in_an_index_is_no_plugin() -> None:
    """One level is what there is."""
    with pytest.raises(errdefs.InvalidArgument, match="did not find plugin config"):
        plugin_image.require_plugin(REF, Index(media_type=media_types.OCI_INDEX))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "has no layers"),
        ([LAYER | {"size": 0}], "no bytes"),
        ([LAYER | {"mediaType": media_types.DOCKER_FOREIGN_LAYER_GZIP}], "can't be unpacked"),
        ([LAYER | {"mediaType": "application/x"}], "application/x"),
    ],
)
def test_layers_that_cannot_be_are_refused(layers: list[object], message: str) -> None:
    """Before anything is fetched; a plugin that was published empty too."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        plugin_image.require_plugin(REF, _manifest(layers=layers))


def test_a_config_beyond_all_reason_is_refused() -> None:
    """It would be held in memory."""
    config = {
        "mediaType": media_types.DOCKER_PLUGIN_CONFIG,
        "digest": "sha256:" + "b" * 64,
        "size": plugin_image.MAX_CONFIG + 1,
    }
    with pytest.raises(errdefs.InvalidArgument, match="are allowed"):
        plugin_image.require_plugin(REF, _manifest(config=config))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe{}", b'{"entrypoint": 5}'])
def test_what_is_no_config_is_refused(data: bytes) -> None:
    """In Docker's words, or with what is wrong about it."""
    with pytest.raises(errdefs.InvalidArgument, match="failed to parse config"):
        plugin_image.parse_config(data)
