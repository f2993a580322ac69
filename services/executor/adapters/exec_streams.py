"""The streams of an exec: pipes, or a terminal; one end is runc's, the other ours."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import struct
import termios
from collections.abc import Sequence
from typing import Self

#: Bytes of output that are read ahead.
_AHEAD = 64 * 1024
_NOWHERE = asyncio.subprocess.DEVNULL


class ExecOutput(asyncio.StreamReader):
    """What a process writes; a terminal whose other side is closed is at its end."""

    async def read(self, n: int = -1) -> bytes:
        """Return what has come, at least a byte; nothing at the end."""
        try:
            return await super().read(n)
        except OSError:
            return b""


class ExecStreams:
    """Our ends; theirs are closed at the end of the block, when runc has them."""

    def __init__(
        self, theirs: Sequence[int], reading: Sequence[int], writing: int | None, *, tty: bool
    ) -> None:
        self.theirs = theirs
        self.outputs: list[ExecOutput] = []
        self._reading = reading
        self._writing = writing
        self._terminal = reading[0] if tty else None
        self._transports: list[asyncio.BaseTransport] = []
        self._input: asyncio.StreamWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for fd in {fd for fd in self.theirs if fd >= 0}:
            os.close(fd)
        if kind is not None:
            self.close()

    async def connect(self) -> None:
        """Begin to read, and to be ready to write."""
        loop = asyncio.get_running_loop()
        for fd in self._reading:
            output = ExecOutput(limit=_AHEAD)
            protocol = asyncio.StreamReaderProtocol(output)
            transport, _ = await loop.connect_read_pipe(
                functools.partial(_given, protocol), os.fdopen(fd, "rb", buffering=0)
            )
            self._transports.append(transport)
            self.outputs.append(output)
        if self._writing is not None:
            self._input = await self._connect_input(self._writing)

    async def write(self, data: bytes) -> None:
        """Give input, waiting while none is taken; after the end of who takes it, it is lost."""
        if self._input is not None:
            with contextlib.suppress(OSError):
                self._input.write(data)
                await self._input.drain()

    def end_input(self) -> None:
        """Send no more; a terminal stays open, as it is read from, too."""
        if self._input is not None and self._terminal is None:
            self._input.close()

    def resize(self, height: int, width: int) -> None:
        """Change the size of the terminal."""
        if self._terminal is not None:
            _set_size(self._terminal, height, width)

    def close(self) -> None:
        """Close our ends."""
        if self._input is not None:
            self._input.close()
        for transport in self._transports:
            transport.close()
        if not self._transports:
            for fd in {*self._reading, *([] if self._writing is None else [self._writing])}:
                os.close(fd)

    async def _connect_input(self, fd: int) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(loop), os.fdopen(fd, "wb", buffering=0)
        )
        return asyncio.StreamWriter(transport, protocol, None, loop)


def _given(protocol: asyncio.StreamReaderProtocol) -> asyncio.StreamReaderProtocol:
    return protocol


def open_pipes(*, stdin: bool) -> ExecStreams:
    """Open three pipes, or two where there is no input."""
    out_ours, out_theirs = os.pipe2(os.O_CLOEXEC)
    err_ours, err_theirs = os.pipe2(os.O_CLOEXEC)
    in_theirs, in_ours = os.pipe2(os.O_CLOEXEC) if stdin else (_NOWHERE, None)
    theirs = (in_theirs, out_theirs, err_theirs)
    return ExecStreams(theirs, (out_ours, err_ours), in_ours, tty=False)


def open_terminal(height: int, width: int) -> ExecStreams:
    """Open a terminal of a size; 0 leaves it unset."""
    ours, theirs = os.openpty()
    if height and width:
        _set_size(ours, height, width)
    writing = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 0)
    return ExecStreams((theirs, theirs, theirs), (ours,), writing, tty=True)


def _set_size(terminal: int, height: int, width: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
