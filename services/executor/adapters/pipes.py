"""Pipes to and from a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator


class Pipe:
    """Two descriptors that no other child inherits."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        self._open = {self.read_end, self.write_end}

    def close_write_end(self) -> None:
        """Close our copy of the end that a child writes to."""
        self._close(self.write_end)

    def close(self) -> None:
        """Close what is still open."""
        for fd in tuple(self._open):
            self._close(fd)

    def _close(self, fd: int) -> None:
        self._open.remove(fd)
        os.close(fd)


@contextlib.contextmanager
def open_pipe() -> Iterator[Pipe]:
    """Hold a pipe open."""
    pipe = Pipe()
    try:
        yield pipe
    finally:
        pipe.close()


class Capture:
    """The beginning of what is written to a pipe; the rest is read, and thrown away."""

    def __init__(self, pipe: Pipe, limit_bytes: int) -> None:
        self._pipe = pipe
        self._limit_bytes = limit_bytes
        self._data = b""

    @property
    def write_end(self) -> int:
        """Return the descriptor to write to."""
        return self._pipe.write_end

    def read(self) -> None:
        """Take in what is there."""
        with contextlib.suppress(BlockingIOError):
            piece = os.read(self._pipe.read_end, 65536)
            self._data += piece[: self._limit_bytes - len(self._data)]

    def text(self) -> str:
        """Return what was written, for a person."""
        return self._data.decode(errors="replace").strip()


@contextlib.contextmanager
def captured(limit_bytes: int) -> Iterator[Capture]:
    """Hold a pipe that never blocks who writes to it, while the loop runs."""
    loop = asyncio.get_running_loop()
    with open_pipe() as pipe:
        os.set_blocking(pipe.read_end, False)
        capture = Capture(pipe, limit_bytes)
        # Our own write end stays open, so the pipe is never at its end and the reader rests.
        loop.add_reader(pipe.read_end, capture.read)
        try:
            yield capture
        finally:
            loop.remove_reader(pipe.read_end)


async def read_line(fd: int) -> bytes:
    """Read up to a newline, or the end: the writer may hold its end for its whole life."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    readable = asyncio.Event()
    loop.add_reader(fd, readable.set)
    line = b""
    try:
        while not line.endswith(b"\n"):
            await readable.wait()
            readable.clear()
            with contextlib.suppress(BlockingIOError):
                piece = os.read(fd, 65536)
                if not piece:
                    break
                line += piece
    finally:
        loop.remove_reader(fd)
    return line
