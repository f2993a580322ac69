"""Connections: kept where that is safe, on any event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import uvloop

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.repository import Repository
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.uploads import Outcome
from shared import errdefs
from tests.support import faulty_registry as does
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry import PASSWORD, USER, RegistryServer
from tests.support.registry_client import (
    Bytes,
    Sleeps,
    described,
    new_registry,
    plugin_manifest,
    repository,
    whole,
)
from tests.support.wait import eventually

_MANIFEST = plugin_manifest()
_PATH = "/v2/a/b/manifests/latest"
_HEAD = does.head_of(200, {"Content-Length": str(len(_MANIFEST))})
_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(_MANIFEST), _MANIFEST)
)  # fmt: skip


@pytest.fixture
async def registry(sleeps: Sleeps) -> AsyncIterator[Registry]:
    registry = new_registry(limits=Limits(connections_per_host=2), sleep=sleeps)
    yield registry
    await registry.aclose()


@pytest.fixture
async def plugin(faulty: FaultyRegistry, registry: Registry) -> Repository:
    """Return a repository of which it is known that it speaks plain HTTP."""
    plugin = repository(registry, f"{faulty.authority}/a/b")
    faulty.on("GET", _PATH, does.answer(200, _MANIFEST))
    await plugin.manifest()
    return plugin


def kept_open(data: bytes) -> does.Behaviour:
    """Send just these bytes and go on listening."""

    async def behave(asked: does.Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return behave


@pytest.mark.parametrize(
    ("data", "is_kept"),
    [
        (_HEAD + _MANIFEST, True),
        (_CHUNKED, True),
        (_HEAD + _MANIFEST + b"HTTP/1.1 200 OK\r\n\r\n", False),
        (_CHUNKED + b"HTTP/1.1 200 OK\r\n\r\n", False),
        (_HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + _MANIFEST, False),
        (_HEAD.replace(b"1.1", b"1.0") + _MANIFEST, False),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + _HEAD + _MANIFEST, True),
    ],
)
async def test_when_a_connection_is_kept(
    faulty: FaultyRegistry, plugin: Repository, data: bytes, *, is_kept: bool
) -> None:
    """A connection serves again where the answer was whole, and nothing came behind it."""
    faulty.on("GET", _PATH, kept_open(data))
    before = faulty.connections

    for _ in range(3):
        assert (await plugin.manifest()).body == _MANIFEST

    assert faulty.connections == before + (0 if is_kept else 2)


async def test_no_more_connections_than_allowed(faulty: FaultyRegistry, plugin: Repository) -> None:
    """Twenty questions at once share the connections that one host may have."""
    before = faulty.connections

    await asyncio.gather(*(plugin.manifest() for _ in range(20)))

    assert faulty.connections <= before + 1


async def test_an_unused_connection_is_closed(faulty: FaultyRegistry, sleeps: Sleeps) -> None:
    """Nobody has to ask its host again for that; who does gets a new one."""
    registry = new_registry(limits=Limits(idle_s=0.1), sleep=sleeps)
    plugin = repository(registry, f"{faulty.authority}/a/b")
    faulty.on("GET", _PATH, does.answer(200, _MANIFEST))
    try:
        for _ in range(2):
            await asyncio.gather(*(plugin.manifest() for _ in range(3)))
            await eventually(lambda: faulty.open_connections == 0)
    finally:
        await registry.aclose()


async def test_a_cancelled_request_leaves_its_place(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """Whoever waits no longer holds no connection."""
    faulty.on("GET", _PATH, does.raw(then_stall=True))
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await plugin.manifest()
    faulty.on("GET", _PATH, does.answer(200, _MANIFEST))

    async with asyncio.timeout(5):
        assert (await plugin.manifest()).body == _MANIFEST


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
)
async def test_what_is_no_http_is_told(
    faulty: FaultyRegistry, plugin: Repository, head: bytes
) -> None:
    """A peer that breaks the rules of HTTP is not guessed at."""
    faulty.on("GET", _PATH, does.raw(head))

    with pytest.raises(errdefs.Unavailable, match="does not speak HTTP as it should"):
        await plugin.manifest()


def test_uvloop_will_do() -> None:
    """The client works on uvloop as it does on asyncio's own loop, TLS tried first included."""

    async def there_and_back(authority: str) -> bytes:
        registry = new_registry(limits=Limits(upload_chunk_bytes=1_000_000))
        body = json.dumps([USER, PASSWORD] * 200_000).encode()
        plugin = repository(registry, f"{authority}/a/b", push=True)
        assert await plugin.upload(described(body), Bytes(body=body)) is Outcome.UPLOADED
        try:
            assert await whole(plugin, described(body)) == body
        finally:
            await registry.aclose()
        return body

    with (
        RegistryServer() as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        assert runner.run(there_and_back(server.authority))
