"""The client and Debian's docker-registry over plain HTTP on loopback."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.uploads import Outcome
from shared import errdefs
from shared.oci import media_types
from shared.oci.digest import digest_of
from tests.support.registry import RegistryServer
from tests.support.registry_client import (
    Bytes,
    described,
    new_registry,
    plugin_manifest,
    repository,
    whole,
)

_CHUNK = 300_000


@pytest.fixture(scope="module")
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = new_registry(limits=Limits(upload_chunk_bytes=_CHUNK))
    yield registry
    await registry.aclose()


@pytest.mark.parametrize("size", [1, 20_000, _CHUNK, _CHUNK + 1, 4 * _CHUNK + 17])
async def test_a_blob_comes_back_as_it_went_up(
    server: RegistryServer, registry: Registry, size: int
) -> None:
    """Blobs of every size are uploaded, at once or in chunks, and read back whole and in part."""
    plugin = repository(registry, f"{server.authority}/some/plugin", push=True)
    body = os.urandom(size)
    blob = described(body)

    assert not await plugin.has_blob(blob.digest)
    assert await plugin.upload(blob, Bytes(body=body)) is Outcome.UPLOADED
    assert await plugin.has_blob(blob.digest)
    assert await whole(plugin, blob) == body
    assert await whole(plugin, blob, offset=size // 2) == body[size // 2 :]


async def test_a_blob_that_is_there_is_not_read_again(
    server: RegistryServer, registry: Registry
) -> None:
    """An upload of what the registry has reads nothing of it."""
    plugin = repository(registry, f"{server.authority}/some/plugin", push=True)
    body = os.urandom(1000)
    await plugin.upload(described(body), Bytes(body=body))
    again = Bytes(body=body)

    assert await plugin.upload(described(body), again) is Outcome.EXISTED
    assert again.reads == []


async def test_a_blob_of_another_repository_is_mounted(
    server: RegistryServer, registry: Registry
) -> None:
    """A mount takes no bytes; where the source lacks the blob, it is uploaded."""
    body = os.urandom(_CHUNK + 5)
    await repository(registry, f"{server.authority}/mount/source", push=True).upload(
        described(body), Bytes(body=body)
    )
    target = repository(registry, f"{server.authority}/mount/target", push=True)
    other = repository(registry, f"{server.authority}/mount/other", push=True)
    unread = Bytes(body=body)

    assert (
        await target.upload(described(body), unread, mount_from="mount/source") is Outcome.MOUNTED
    )
    assert unread.reads == []
    assert (
        await other.upload(described(body), Bytes(body=body), mount_from="not/there")
        is Outcome.UPLOADED
    )
    assert await whole(other, described(body)) == body


async def test_a_wrong_digest_is_refused(server: RegistryServer, registry: Registry) -> None:
    """A registry that finds other content than was promised refuses it, and says so."""
    plugin = repository(registry, f"{server.authority}/some/plugin", push=True)
    blob = described(os.urandom(50_000))

    with pytest.raises(errdefs.InvalidArgument, match="digest"):
        await plugin.upload(blob, Bytes(body=os.urandom(50_000)))


async def test_a_manifest_is_kept_byte_for_byte(server: RegistryServer, registry: Registry) -> None:
    """What is pushed is what is resolved and fetched, by tag, by digest and by both."""
    name = f"{server.authority}/kept/plugin"
    plugin = repository(registry, f"{name}:1.0", push=True)
    config, layer = b'{"a": 1}', os.urandom(100)
    for body in (config, layer):
        await plugin.upload(described(body), Bytes(body=body))
    manifest = plugin_manifest(config, layer)

    digest = await plugin.put_manifest(manifest, media_types.DOCKER_MANIFEST)

    assert digest == digest_of(manifest)
    for reference in (f"{name}:1.0", f"{name}@{digest}", f"{name}:gone@{digest}"):
        found = repository(registry, reference)
        resolved = await found.resolve()
        fetched = await found.manifest()
        assert resolved == fetched.descriptor
        assert (resolved.digest, resolved.size) == (digest, len(manifest))
        assert resolved.media_type == media_types.DOCKER_MANIFEST
        assert fetched.body == manifest


async def test_nothing_there_is_not_found_in_dockers_words(
    server: RegistryServer, registry: Registry
) -> None:
    """A name that the registry does not know is told as dockerd tells it."""
    name = f"{server.authority}/nothing/here"

    with pytest.raises(errdefs.NotFound) as caught:
        await repository(registry, name).resolve()

    assert caught.value.message == f"error resolving plugin reference: {name}:latest: not found"


async def test_tags_are_listed(server: RegistryServer, registry: Registry) -> None:
    """All tags of a repository are listed."""
    body = b"{}"
    name = f"{server.authority}/tagged/plugin"
    await repository(registry, name, push=True).upload(described(body), Bytes(body=body))
    for tag in ("a", "b", "c"):
        plugin = repository(registry, f"{name}:{tag}", push=True)
        await plugin.put_manifest(plugin_manifest(body), media_types.DOCKER_MANIFEST)

    assert sorted(await repository(registry, name).tags()) == ["a", "b", "c"]


async def test_referrers_are_none_where_the_registry_knows_no_such_thing(
    server: RegistryServer, registry: Registry
) -> None:
    """A registry older than the question, and without the fallback tag, has no referrers."""
    found = repository(registry, f"{server.authority}/some/plugin")

    assert await found.referrers(digest_of(b"x")) == ()


async def test_a_registry_that_restarts_is_found_again(
    server: RegistryServer, registry: Registry
) -> None:
    """Connections that a restart has cut are not used again."""
    plugin = repository(registry, f"{server.authority}/some/plugin", push=True)
    body = os.urandom(100)
    await plugin.upload(described(body), Bytes(body=body))

    server.kill()
    server.start()

    assert await whole(plugin, described(body)) == body
