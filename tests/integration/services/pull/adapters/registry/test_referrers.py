"""Referrers: asked for, or looked up under the fallback tag."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from services.pull.adapters.registry.client import Registry
from shared import errdefs
from shared.oci import media_types
from shared.oci.digest import digest_of
from tests.support import faulty_registry as does
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_client import Sleeps, new_registry, repository

_SUBJECT = digest_of(b"a manifest")
_PATH = f"/v2/a/b/referrers/{_SUBJECT}"
_FALLBACK = f"/v2/a/b/manifests/sha256-{_SUBJECT.hex}"


@pytest.fixture
async def registry(sleeps: Sleeps) -> AsyncIterator[Registry]:
    registry = new_registry(sleep=sleeps)
    yield registry
    await registry.aclose()


def index(*kinds: str) -> bytes:
    """Return an index of one artifact of each kind."""
    manifests = [
        {
            "mediaType": media_types.OCI_MANIFEST,
            "digest": digest_of(kind.encode()),
            "size": 7,
            "artifactType": kind,
        }
        for kind in kinds
    ]
    found = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
    return json.dumps(found).encode()


async def test_referrers_come_in_pages_and_are_filtered(
    faulty: FaultyRegistry, registry: Registry
) -> None:
    """All pages count; a type that the registry does not filter by is filtered by here."""
    plugin = repository(registry, f"{faulty.authority}/a/b")
    first = does.answer(200, index("sbom", "signature"), Link=f'<{_PATH}?page=2>; rel="next"')
    faulty.on("GET", _PATH, first, does.answer(200, index("signature")))

    found = await plugin.referrers(_SUBJECT, "signature")

    assert [one.artifact_type for one in found] == ["signature", "signature"]
    assert faulty.to("GET", _PATH)[0].query == "artifactType=signature"


async def test_the_fallback_tag_is_looked_up(faulty: FaultyRegistry, registry: Registry) -> None:
    """A registry that does not know the question may have the answer under a tag."""
    plugin = repository(registry, f"{faulty.authority}/a/b")
    faulty.on("GET", _FALLBACK, does.answer(200, index("sbom")))

    (found,) = await plugin.referrers(_SUBJECT)

    assert found.digest == digest_of(b"sbom")


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"manifests": [{"digest": "md5:x"}]}', b"<html>"])
async def test_what_is_no_index_is_refused(
    faulty: FaultyRegistry, registry: Registry, body: bytes
) -> None:
    """An answer that is no list of descriptors is an error, not an empty list."""
    plugin = repository(registry, f"{faulty.authority}/a/b")
    faulty.on("GET", _PATH, does.answer(200, body))

    with pytest.raises(errdefs.InvalidArgument):
        await plugin.referrers(_SUBJECT)
