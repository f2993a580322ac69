"""One connection's bytes: read straight into a buffer of ours, with a limit on every wait.

A stream reader of asyncio copies each 64 KiB twice and wakes its reader as often; here the kernel
(or OpenSSL) writes into the buffer that the reader is then handed a piece of.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
import time
from typing import cast

import httpx

from services.pull.adapters.registry.reasons import in_words
from services.pull.adapters.registry.settings import Limits

_NOTHING = memoryview(b"")


class Pace:
    """What one body must keep up: never still for stall_s, and not crawling over such a span."""

    def __init__(self, *, stall_s: float, min_rate_bytes_per_s: int) -> None:
        self.stall_s = stall_s
        self._rate = min_rate_bytes_per_s
        self._waited_s = 0.0
        self._got = 0

    def note(self, got: int, waited_s: float) -> None:
        """Count one wait for the peer; raises httpx.ReadTimeout when it is too slow."""
        self._got += got
        self._waited_s += waited_s
        if self._waited_s < self.stall_s:
            return
        if self._got < self._rate * self._waited_s:
            raise httpx.ReadTimeout(
                f"only {self._got} bytes came in {self._waited_s:.0f} s, "
                f"less than {self._rate} a second"
            )
        self._got, self._waited_s = 0, 0.0


class Wire(asyncio.BufferedProtocol):
    """Both directions of a connection; a full buffer stops the peer, not this process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: Made when bytes come, for a connection that rests has none.
        self._buffer = _NOTHING
        self._start = 0
        self._end = 0
        self._wanted = 1
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_over = False
        self._fault: Exception | None = None
        #: The socket's transport, and what TLS has put on top of it.
        self._layers: list[asyncio.Transport] = []

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._layers.append(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Hand out the free end of the buffer."""
        if self._buffer is _NOTHING:
            self._buffer = memoryview(bytearray(self._limits.read_buffer_bytes))
        return self._buffer[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of new bytes, and stop reading when there is no room for more."""
        self._end += nbytes
        self._compact()
        if self._end == len(self._buffer):
            self._is_paused = True
            self.transport.pause_reading()
        if self.available >= self._wanted or self._is_paused:
            _release(self._readable)

    def eof_received(self) -> bool:
        """Take note that nothing more will come; the connection is of no further use."""
        self._end_with(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        self._end_with(exc)
        _release(self._writable)

    def pause_writing(self) -> None:
        """Hold the writer back."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let the writer go on."""
        _release(self._writable)
        self._writable = None

    # What the connection calls.

    @property
    def transport(self) -> asyncio.Transport:
        """Return what is written to and read from."""
        return self._layers[-1]

    def secure(self, transport: asyncio.Transport) -> None:
        """Go on over TLS, which stands on the transport so far."""
        self._layers.append(transport)

    @property
    def available(self) -> int:
        """Return how many bytes wait to be taken."""
        return self._end - self._start

    @property
    def is_idle(self) -> bool:
        """Say whether the peer keeps the connection open and has sent nothing unasked."""
        return not (self._is_over or self.available or self.transport.is_closing())

    async def write(self, data: bytes) -> None:
        """Send *data*; raises httpx.WriteError or WriteTimeout."""
        if self._is_over or self.transport.is_closing():
            raise httpx.WriteError(f"connection closed by the peer{self._because}") from self._fault
        self.transport.write(data)
        if self._writable is not None:
            await self._keeps_taking(self._writable)

    async def read(self, limit: int, *, at_least: int = 1, pace: Pace) -> bytes:
        """Return up to *limit* bytes, waiting for *at_least*; fewer, or none, only at the end.

        Raises httpx.ReadError for a broken connection, ReadTimeout for a peer out of *pace*.
        """
        wanted = min(at_least, limit, self._limits.read_buffer_bytes // 2)
        while self.available < wanted and not self._is_over:
            had, began = self.available, time.monotonic()
            in_time = await self._wait(wanted, pace.stall_s)
            if not in_time and self.available == had:
                raise httpx.ReadTimeout(f"nothing came for {pace.stall_s:g} s")
            pace.note(self.available - had, time.monotonic() - began)
        if self._fault is not None and not self.available:
            raise httpx.ReadError(f"connection broken{self._because}") from self._fault
        return self._take(limit)

    def rest(self) -> None:
        """Hold no memory until bytes come; nothing may wait to be taken."""
        assert not self.available
        self._buffer = _NOTHING

    def close(self) -> None:
        """Drop the connection without waiting for anything that is still to be sent."""
        self.transport.abort()

    async def _keeps_taking(self, writable: asyncio.Future[None]) -> None:
        """Wait for room, however long a big piece takes that the peer takes fast enough."""
        stall_s, rate = self._limits.stall_s, self._limits.min_rate_bytes_per_s
        while not writable.done():
            untaken = self._untaken
            await asyncio.wait((writable,), timeout=stall_s)
            if not writable.done() and (taken := untaken - self._untaken) < rate * stall_s:
                raise httpx.WriteTimeout(
                    f"the peer took only {taken} bytes in {stall_s:g} s, less than {rate} a second"
                )

    @property
    def _untaken(self) -> int:
        """Return how many bytes wait here, or are on their way.

        The kernel may hold megabytes, and asks for more only when a third of them is gone: what a
        slow line moves in a minute shows nowhere else.
        """
        return sum(layer.get_write_buffer_size() for layer in self._layers) + _in_kernel(
            self._layers[0]
        )

    async def _wait(self, wanted: int, limit_s: float) -> bool:
        self._wanted = wanted
        self._readable = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                await self._readable
        except TimeoutError:
            return False
        finally:
            self._readable = None
        return True

    def _take(self, limit: int) -> bytes:
        taken = bytes(self._buffer[self._start : min(self._end, self._start + limit)])
        self._start += len(taken)
        self._compact()
        if self._is_paused and self._end < len(self._buffer):
            self._is_paused = False
            self.transport.resume_reading()
        return taken

    def _compact(self) -> None:
        """Make room at the end where there is some at the start."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start and self._end == len(self._buffer):
            rest = self.available
            self._buffer[:rest] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, rest

    def _end_with(self, fault: Exception | None) -> None:
        self._is_over = True
        self._fault = self._fault or fault
        _release(self._readable)

    @property
    def _because(self) -> str:
        return f": {in_words(self._fault)}" if self._fault else ""


def _release(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _in_kernel(transport: asyncio.Transport) -> int:
    """Return how many bytes the kernel holds that the peer has not acknowledged."""
    socket = transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return 0
    count: int = struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    return count
