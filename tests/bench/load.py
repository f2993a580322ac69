"""Many connections at once: a client that does little more than count bytes."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.failure import BenchFailed

CONNECTIONS = 32
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it."""

    requests: int
    seconds: float


def get(socket: Path, path: str, *, seconds: float) -> Load:
    """GET *path* over CONNECTIONS connections, each with one request at a time."""
    return asyncio.run(_get(socket, path, seconds))


async def _get(socket: Path, path: str, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode()
    began = time.perf_counter()
    clients: list[_Client] = []
    for _ in range(CONNECTIONS):
        _, client = await loop.create_unix_connection(
            lambda: _Client(request, began + seconds), str(socket)
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    took = time.perf_counter() - began
    return Load(requests=sum(client.answered for client in clients), seconds=took)


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, until: float) -> None:
        self.answered = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._until = until
        self._answer = Answer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer.feed(data)
        if not self._answer.is_whole:
            return
        if not self._answer.is_ok:
            self._end(BenchFailed(f"{self._request!r} was answered {self._answer.head!r}"))
            return
        self.answered += 1
        if time.perf_counter() < self._until:
            self._answer = Answer()
            self._transport.write(self._request)
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or BenchFailed(f"{self._request!r}: the connection was closed"))

    def _end(self, error: Exception | None) -> None:
        self._transport.close()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Answer:
    """An answer that arrives in pieces; nothing follows it before the next request."""

    def __init__(self) -> None:
        self.head = b""
        self.is_whole = False
        self._left: int | None = None  # None while chunks are awaited
        self._tail = b""

    @property
    def is_ok(self) -> bool:
        """Tell whether the status is 200."""
        return self.head.startswith(b"HTTP/1.1 200 ")

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        if not self._has_head:
            head, end, data = (self.head + data).partition(b"\r\n\r\n")
            self.head = head + end
            if not end:
                return
            length = _LENGTH.search(self.head)
            self._left = int(length[1]) if length else None
        self._feed_body(data)

    @property
    def _has_head(self) -> bool:
        return self.head.endswith(b"\r\n\r\n")

    def _feed_body(self, data: bytes) -> None:
        if self._left is None:
            # JSON has no line end of its own, so that this is the end of the last chunk.
            self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
            self.is_whole = self._tail == _LAST_CHUNK
        else:
            self._left -= len(data)
            self.is_whole = self._left <= 0
