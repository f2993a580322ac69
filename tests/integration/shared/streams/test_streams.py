"""Streams over a real unix socket."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from shared import errdefs
from shared.contracts.message import StreamRequest
from shared.streams import Duplex, Incoming, StreamServer, open_stream


class Echo(StreamRequest):
    """Send back what comes."""

    TYPE: ClassVar[str] = "test.echo.open.v1"

    prefix: str = ""


class Served:
    """A server of echoes at a path, and what it saw."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = asyncio.Event()
        self.server = StreamServer(path, {Echo: self.echo})

    async def echo(self, request: Echo, stream: Incoming) -> None:
        """Echo, or refuse."""
        if request.prefix == "no":
            raise errdefs.Conflict("not now", detail={"why": "a test"})
        await stream.accept()
        try:
            await stream.unless_gone(self._echo(request, stream))
        finally:
            self.left.set()

    async def _echo(self, request: Echo, stream: Incoming) -> None:
        await stream.write(request.prefix.encode())
        while data := await stream.read():
            await stream.write(data)
        await stream.write(b".")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Serve at a path that is short enough."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        served = Served(Path(folder) / "s.sock")
        await served.server.open()
        yield served
        await served.server.close()
        assert not served.path.exists()


async def _all(stream: Duplex) -> bytes:
    received = bytearray()
    while data := await stream.read():
        received += data
    return bytes(received)


async def test_both_ways(served: Served) -> None:
    """Bytes go both ways, and one half ends before the other."""
    stream = await open_stream(served.path, Echo(prefix="> "))
    await stream.write(b"hello")
    stream.end()
    assert await _all(stream) == b"> hello."
    await stream.close()


async def test_much(served: Served) -> None:
    """Many megabytes come whole, though nobody holds them all."""
    stream = await open_stream(served.path, Echo())
    sent = bytes(range(256)) * 4096

    async def send() -> None:
        for _ in range(16):
            await stream.write(sent)
        stream.end()

    sending = asyncio.create_task(send())
    assert await _all(stream) == sent * 16 + b"."
    await sending
    await stream.close()


async def test_refused(served: Served) -> None:
    """A refusal is raised where the stream was asked for."""
    with pytest.raises(errdefs.Conflict, match="not now") as caught:
        await open_stream(served.path, Echo(prefix="no"))
    assert caught.value.detail == {"why": "a test"}


async def test_peer_hangs_up(served: Served) -> None:
    """A peer that is gone ends the work at the other side, though nothing is sent."""
    stream = await open_stream(served.path, Echo())
    await stream.close()
    async with asyncio.timeout(5):
        await served.left.wait()


async def test_half_ended_is_not_gone(served: Served) -> None:
    """A peer that sends no more, but listens, is not taken for gone."""
    stream = await open_stream(served.path, Echo())
    stream.end()
    assert await _all(stream) == b"."
    await stream.close()


async def test_server_closes(served: Served) -> None:
    """When the server goes, its streams end."""
    stream = await open_stream(served.path, Echo())
    await served.server.close()
    assert await _all(stream) == b""
    await stream.close()
    with pytest.raises(errdefs.Unavailable, match="nobody answers"):
        await open_stream(served.path, Echo())


@pytest.mark.parametrize(
    "sent",
    [b"\n", b"no json\n", b'{"type": "nothing"}\n', b"[]\n", b'{"type":"test.echo.open.v1"}\n'],
)
async def test_nonsense(served: Served, sent: bytes) -> None:
    """What is no request is refused."""
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(sent)
    assert b"invalid_argument" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_for_root_alone(served: Served) -> None:
    """Nobody else may connect; and a socket that was left behind is replaced."""
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o600
    again = StreamServer(served.path, {})
    await again.open()
    await again.close()
