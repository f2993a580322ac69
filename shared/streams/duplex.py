"""One stream, as either side holds it."""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Coroutine, Iterator
from typing import Any


class Duplex:
    """Bytes both ways; each half ends on its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, most: int = 64 * 1024) -> bytes:
        """Return what has come, at least a byte; nothing once the peer sends no more."""
        try:
            return await self._reader.read(most)
        except ConnectionError:
            return b""

    async def read_line(self) -> bytes:
        """Return a line with its newline, or what there was before the end.

        Raises ValueError for a line longer than the limit of the stream.
        """
        try:
            return await self._reader.readline()
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the peer is slow; raises ConnectionError once it is gone."""
        self._writer.write(data)
        await self._writer.drain()

    def end(self) -> None:
        """Send no more; a peer that is gone, or a stream that has no halves, is fine."""
        with contextlib.suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()

    async def gone(self) -> None:
        """Return once the peer has hung up wholly, and not only sends no more."""
        socket = self._writer.get_extra_info("socket")
        with _hang_up(socket.fileno()) as gone:
            await gone.wait()

    async def unless_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, and call it off when the peer hangs up; raises what it raises."""
        working, leaving = asyncio.create_task(work), asyncio.create_task(self.gone())
        try:
            await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def close(self) -> None:
        """Hang up; what was written is still sent."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@contextlib.contextmanager
def _hang_up(fd: int) -> Iterator[asyncio.Event]:
    # An epoll of its own that asks for nothing: the kernel tells of a hang-up all the same, and
    # asyncio's own would read the end of a half as the end of all.
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    with select.epoll() as watch:
        watch.register(fd, 0)
        loop.add_reader(watch.fileno(), gone.set)
        try:
            yield gone
        finally:
            loop.remove_reader(watch.fileno())
