"""Blobs from a registry that breaks, lies, stalls and never ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.repository import Repository
from services.pull.adapters.registry.settings import Limits
from shared import errdefs
from tests.support import faulty_registry as does
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_client import Sleeps, described, new_registry, repository, whole

_BODY = os.urandom(3_000_000)
_BLOB = described(_BODY)
_PATH = f"/v2/a/b/blobs/{_BLOB.digest}"
_LIMITS = Limits(stall_s=0.3, min_rate_bytes_per_s=1_000_000, attempts=3)


@pytest.fixture
async def registry(sleeps: Sleeps) -> AsyncIterator[Registry]:
    registry = new_registry(limits=_LIMITS, sleep=sleeps)
    yield registry
    await registry.aclose()


@pytest.fixture
def plugin(faulty: FaultyRegistry, registry: Registry) -> Repository:
    return repository(registry, f"{faulty.authority}/a/b")


def ranges(faulty: FaultyRegistry) -> list[str]:
    """Return from where the blob was asked for each time."""
    return [asked.header("range") for asked in faulty.to("GET", _PATH)]


async def test_a_blob_in_pieces_is_big_pieces(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A blob of known length comes in pieces of 256 KiB or more, the last one apart."""
    faulty.on("GET", _PATH, does.blob(_BODY))

    pieces = [piece async for piece in plugin.blob(_BLOB)]

    assert b"".join(pieces) == _BODY
    assert all(len(piece) >= 256 << 10 for piece in pieces[1:-1])


async def test_a_broken_stream_goes_on_where_it_broke(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """After a reset the rest is asked for by Range, and nothing comes twice."""
    faulty.on("GET", _PATH, does.broken_blob(_BODY, 1_000_000), does.blob(_BODY))

    assert await whole(plugin, _BLOB) == _BODY
    first, second = ranges(faulty)
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 1_000_000
    assert len(sleeps.taken) == 1


async def test_a_registry_that_ignores_range_is_read_again(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """What came before the break is skipped where the registry starts over."""
    faulty.on(
        "GET",
        _PATH,
        does.broken_blob(_BODY, 1_000_000, knows_range=False),
        does.blob(_BODY, knows_range=False),
    )

    assert await whole(plugin, _BLOB) == _BODY


async def test_progress_earns_new_attempts(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A blob that breaks more often than there are attempts, but moves, gets to its end."""
    big = os.urandom(8_000_000)
    blob = described(big)
    breaks = [does.broken_blob(big, end) for end in range(1_500_000, 8_000_000, 1_500_000)]
    assert len(breaks) > _LIMITS.attempts
    faulty.on("GET", f"/v2/a/b/blobs/{blob.digest}", *breaks, does.blob(big))

    assert await whole(plugin, blob) == big


async def test_a_blob_that_only_breaks_is_given_up(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """After all attempts without progress the error names the registry and what happened."""
    faulty.on("GET", _PATH, does.broken_blob(_BODY, 1000))

    with pytest.raises(errdefs.Unavailable, match=f"{_BLOB.digest}.*{faulty.authority}"):
        await whole(plugin, _BLOB)
    assert len(faulty.to("GET", _PATH)) == _LIMITS.attempts
    assert len(sleeps.taken) == _LIMITS.attempts - 1


async def test_a_blob_cut_short_is_fetched_to_its_end(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A body that ends too early, however politely, is no end."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + _BODY[:5]
    faulty.on("GET", _PATH, does.raw(chunked + b"\r\n0\r\n\r\n"), does.blob(_BODY))

    assert await whole(plugin, _BLOB) == _BODY
    assert ranges(faulty) == ["", "bytes=5-"]


@pytest.mark.parametrize("length", [len(_BODY) - 1, len(_BODY) + 1])
async def test_a_blob_of_another_length_is_refused_at_once(
    faulty: FaultyRegistry, plugin: Repository, length: int
) -> None:
    """A Content-Length that is not the manifest's size is told before a byte is read."""
    faulty.on("GET", _PATH, does.blob((_BODY + b"x")[:length]))

    with pytest.raises(errdefs.InvalidArgument) as caught:
        await whole(plugin, _BLOB)
    assert f"it has {length} bytes, its manifest says {len(_BODY)}" in caught.value.message
    assert len(faulty.to("GET", _PATH)) == 1


async def test_an_endless_body_is_cut(faulty: FaultyRegistry, plugin: Repository) -> None:
    """No more than the descriptor's size is ever handed on."""
    faulty.on("GET", _PATH, does.endless())
    got: list[int] = []

    async def read() -> None:
        async for piece in plugin.blob(_BLOB):
            got.append(len(piece))  # noqa: PERF401 - it ends in an error

    with pytest.raises(errdefs.InvalidArgument, match="goes on beyond"):
        await read()
    assert sum(got) <= _BLOB.size


async def test_another_part_than_asked_for_is_refused(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A 206 with other bytes than those asked for is not taken for them."""
    faulty.on(
        "GET",
        _PATH,
        does.answer(206, _BODY[7:], Content_Range=f"bytes 7-{len(_BODY) - 1}/{len(_BODY)}"),
    )

    with pytest.raises(errdefs.InvalidArgument, match="it sent others"):
        await whole(plugin, _BLOB, offset=5)


async def test_a_stalled_stream_goes_on_over_another_connection(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A body of which nothing more comes is dropped and resumed."""
    head = does.head_of(200, {"Content-Length": str(len(_BODY))})
    faulty.on("GET", _PATH, does.raw(head + _BODY[:5000], then_stall=True), does.blob(_BODY))

    assert await whole(plugin, _BLOB) == _BODY


async def test_a_slow_drip_is_too_slow(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A body that keeps moving, but slower than the minimum, is given up as too slow."""
    head = does.head_of(200, {"Content-Length": str(len(_BODY))})
    drip = [_BODY[number : number + 1] for number in range(100)]
    faulty.on("GET", _PATH, does.raw(head, *drip, pause_s=0.02))

    with pytest.raises(errdefs.Unavailable, match="too slow"):
        async with asyncio.timeout(10):
            await whole(plugin, _BLOB)


async def test_a_reader_that_takes_its_time_is_not_the_peers_fault(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A pause of the reader, longer than the stall limit, breaks nothing."""
    faulty.on("GET", _PATH, does.blob(_BODY))
    got = b""

    async for piece in plugin.blob(_BLOB):
        if not got:
            await asyncio.sleep(_LIMITS.stall_s * 1.5)
        got += piece
    assert got == _BODY
    assert ranges(faulty) == [""]


async def test_a_reader_that_stops_frees_the_connection(
    faulty: FaultyRegistry, sleeps: Sleeps
) -> None:
    """Reading that is ended early gives its place back to the next request."""
    registry = new_registry(limits=Limits(connections_per_host=1), sleep=sleeps)
    plugin = repository(registry, f"{faulty.authority}/a/b")
    faulty.on("GET", _PATH, does.endless(), does.blob(_BODY))

    async with aclosing(plugin.blob(_BLOB)) as pieces:
        await anext(pieces)
    async with asyncio.timeout(5):
        assert await whole(plugin, _BLOB) == _BODY
    await registry.aclose()


async def test_what_is_there_already_is_not_asked_for(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A blob that is whole at its offset costs no request."""
    assert await whole(plugin, _BLOB, offset=_BLOB.size) == b""
    assert faulty.asked == []
