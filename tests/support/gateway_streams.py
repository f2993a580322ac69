"""The executor's streams, as the gateway sees them, in memory."""

from __future__ import annotations

import asyncio

from shared import errdefs
from shared.contracts.message import StreamRequest


class FakeStream:
    """A ports.Stream: what the executor sends is put in by the test."""

    def __init__(self, sent: bytes = b"") -> None:
        self._reader = asyncio.StreamReader()
        self._reader.feed_data(sent)
        self.written = b""
        self.has_ended = False
        self.is_closed = False

    def feed(self, data: bytes) -> None:
        """Have the executor send bytes."""
        self._reader.feed_data(data)

    def feed_end(self) -> None:
        """Have the executor send no more."""
        self._reader.feed_eof()

    async def read(self, most: int = 65536) -> bytes:
        """Return what has come."""
        return await self._reader.read(most)

    async def read_line(self) -> bytes:
        """Return a line."""
        return await self._reader.readline()

    async def write(self, data: bytes) -> None:
        """Keep it."""
        self.written += data

    def end(self) -> None:
        """Note it."""
        self.has_ended = True

    async def close(self) -> None:
        """Note it; who reads is at the end."""
        self.is_closed = True
        self._reader.feed_eof()


class FakeStreams:
    """A ports.Streams that gives out what the test prepared."""

    def __init__(self) -> None:
        self.asked: list[StreamRequest] = []
        self.next: FakeStream | errdefs.Error = FakeStream()

    async def open(self, request: StreamRequest) -> FakeStream:
        """Give the stream, or raise the error."""
        self.asked.append(request)
        if isinstance(self.next, errdefs.Error):
            raise self.next
        return self.next
