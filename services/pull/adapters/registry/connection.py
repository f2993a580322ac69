"""HTTP/1.1 on one connection: h11 reads and writes the heads, bodies of known length go past it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import h11
import httpx

from services.pull.adapters.registry.head import Head
from services.pull.adapters.registry.proxies import Proxy
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.wire import Pace, Wire


class Connection:
    """One connection to one host; one request at a time."""

    def __init__(self, wire: Wire, limits: Limits, *, forwarder: Proxy | None = None) -> None:
        self.wire = wire
        self.idle_since = time.monotonic()
        self._limits = limits
        #: A proxy that forwards plain HTTP is told the whole address, not the path alone.
        self._forwarder = forwarder
        self._http = h11.Connection(h11.CLIENT)
        self._is_sent = False

    async def exchange(self, request: httpx.Request) -> Head:
        """Send *request* and return the head of the answer; its body is read by ``body``.

        An answer that comes before the request is sent ends the sending. Raises httpx's errors.
        """
        # h11 forgets nothing of the exchange before, so each one gets a new state of it.
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.head_bytes)
        try:
            self._is_sent = await self._send(request)
        except httpx.WriteError:
            if not self.wire.available:
                raise
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        return await self._head(request.method)

    async def body(self, head: Head) -> AsyncGenerator[bytes, None]:
        """Yield the body in big pieces; raises httpx's ReadError, ReadTimeout, ProtocolError."""
        pace = Pace(
            stall_s=self._limits.stall_s, min_rate_bytes_per_s=self._limits.min_rate_bytes_per_s
        )
        pieces = self._framed(pace) if head.length is None else self._counted(head.length, pace)
        async for piece in pieces:
            yield piece

    def can_be_kept(self, head: Head) -> bool:
        """Say whether another request may follow the one whose body has been read."""
        # Bytes behind a body's end would be read as the next answer: somebody's smuggling.
        has_more = len(self._http.trailing_data[0]) > (head.length or 0)
        return self._is_sent and head.keeps_alive and self.wire.is_idle and not has_more

    def rest(self) -> None:
        """Hold no memory until the next exchange."""
        self.idle_since = time.monotonic()
        self._http = h11.Connection(h11.CLIENT)
        self.wire.rest()

    async def _send(self, request: httpx.Request) -> bool:
        target, headers = request.url.raw_path, request.headers.raw
        if self._forwarder:
            target, headers = str(request.url).encode(), headers + self._forwarder.headers
        await self._write(h11.Request(method=request.method, target=target, headers=headers))
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            if self.wire.available:
                return False
            await self._write(h11.Data(data=piece))
        await self._write(h11.EndOfMessage())
        return True

    async def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self.wire.write(data)

    async def _head(self, method: str) -> Head:
        deadline = time.monotonic() + self._limits.answer_s
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return Head.of(event, method)
            if event is h11.NEED_DATA:
                self._feed(await self._read_head(deadline))
            elif not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("the peer closed the connection without an answer")

    async def _read_head(self, deadline: float) -> bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise httpx.ReadTimeout(f"no answer within {self._limits.answer_s:g} s")
        pace = Pace(stall_s=left_s, min_rate_bytes_per_s=1)
        return await self.wire.read(self._limits.head_bytes, pace=pace)

    async def _counted(self, length: int, pace: Pace) -> AsyncGenerator[bytes, None]:
        left = length
        early = self._http.trailing_data[0][:left]
        if early:
            left -= len(early)
            yield early
        while left:
            piece = await self.wire.read(
                min(left, self._limits.read_buffer_bytes),
                at_least=self._limits.chunk_bytes,
                pace=pace,
            )
            if not piece:
                raise httpx.RemoteProtocolError(
                    f"the connection ended after {length - left} of {length} bytes"
                )
            left -= len(piece)
            yield piece

    async def _framed(self, pace: Pace) -> AsyncGenerator[bytes, None]:
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif event is h11.NEED_DATA:
                self._feed(await self.wire.read(self._limits.read_buffer_bytes, pace=pace))
            else:
                return

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error

    def _feed(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
