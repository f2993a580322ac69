"""Readers of the event feed: when each of them has an event."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.failure import BenchFailed

_REQUEST = b"GET /events HTTP/1.1\r\nHost: docker\r\n\r\n"
_LIMIT_S = 10.0


class Subscribers:
    """Connections to GET /events, each with a moment at which it last read something."""

    def __init__(self, connections: Sequence[socket.socket]) -> None:
        self._arrived: dict[socket.socket, float] = {}
        self._count = len(connections)
        self._all_have = threading.Event()
        self._selector = selectors.DefaultSelector()
        for connection in connections:
            self._selector.register(connection, selectors.EVENT_READ)

    def expect(self) -> None:
        """Forget what was read: another event comes."""
        self._arrived.clear()
        self._all_have.clear()

    def arrivals(self) -> list[float]:
        """Return when each has read the event, by the monotonic clock."""
        if not self._all_have.wait(_LIMIT_S):
            raise BenchFailed(f"{len(self._arrived)} of {self._count} subscribers had the event")
        return list(self._arrived.values())

    def read(self, over: threading.Event) -> None:
        """Read until told that it is over."""
        while not over.is_set():
            for key, _ in self._selector.select(0.1):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if not connection.recv(1 << 16):
                    raise BenchFailed("a stream of events was closed")
                self._arrived.setdefault(connection, time.monotonic())
            if len(self._arrived) == self._count:
                self._all_have.set()


@contextlib.contextmanager
def subscribed(path: Path, count: int) -> Iterator[Subscribers]:
    """Give so many readers of the API at *path*, all of which were answered."""
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(_opened(path)) for _ in range(count)]
        readers = Subscribers(connections)
        reading = threading.Thread(target=readers.read, args=(over,), daemon=True)
        reading.start()
        try:
            yield readers
        finally:
            over.set()
            reading.join()


def _opened(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_LIMIT_S)
    connection.connect(str(path))
    connection.sendall(_REQUEST)
    if not connection.recv(1 << 16).startswith(b"HTTP/1.1 200"):
        raise BenchFailed(f"{path} gives no events")
    return connection
