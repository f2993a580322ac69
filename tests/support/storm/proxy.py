"""A proxy between two parts, whose connections a test may cut, stall or reset."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 64 * 1024
_LOOK_S: Final = 0.05
#: Closing a socket with this sends a reset instead of an orderly end.
_AT_ONCE: Final = struct.pack("ii", 1, 0)

Address = str | tuple[str, int]


@dataclass(eq=False, slots=True)
class _Pair:
    """The two ends of one connection through the proxy."""

    client: socket.socket
    server: socket.socket
    passed_bytes: int = 0
    is_closed: bool = False

    def reset(self) -> None:
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.close()

    def close(self) -> None:
        self.is_closed = True
        self.client.close()
        self.server.close()


@dataclass(slots=True)
class Proxy:
    """A context manager that listens on *at* and connects to *to*, each a path or host and port."""

    at: Address
    to: Address
    #: Whether nothing passes for now.
    is_stalled: bool = False
    #: Bytes after which each connection is reset; None: none is.
    cut_after_bytes: int | None = None
    _pairs: list[_Pair] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _is_over: bool = False
    _listener: socket.socket = field(init=False)

    def __enter__(self) -> Self:
        """Listen."""
        self._listener = _listening(self.at)
        self._listener.settimeout(_LOOK_S)
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all connections, and wait for the threads."""
        self._is_over = True
        self._listener.close()
        self.reset_all()
        for thread in self._threads:
            thread.join(timeout=10)
        if isinstance(self.at, str):
            Path(self.at).unlink(missing_ok=True)

    def reset_all(self) -> int:
        """Reset all connections that there are; return how many."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.reset()
        return len(pairs)

    @property
    def authority(self) -> str:
        """Return ``host:port`` of a proxy that has such."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def heal(self) -> None:
        """Let everything pass again."""
        self.is_stalled, self.cut_after_bytes = False, None

    def _accept(self) -> None:
        while not self._is_over:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            try:
                server = _connected(self.to)
            except OSError:
                client.close()
                continue
            pair = _Pair(client=client, server=server)
            with self._lock:
                self._pairs.append(pair)
            self._spawn(self._pass_on, pair)

    def _pass_on(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready:
            peers = {pair.client: pair.server, pair.server: pair.client}
            for one in peers:
                one.settimeout(10)
                ready.register(one, selectors.EVENT_READ)
            while peers and not pair.is_closed and not self._is_over:
                for key, _ in ready.select(_LOOK_S):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if not self._pass(pair, source, peers[source]):
                        ready.unregister(source)
                        del peers[source]
        pair.close()
        with self._lock, contextlib.suppress(ValueError):
            self._pairs.remove(pair)

    def _pass(self, pair: _Pair, source: socket.socket, target: socket.socket) -> bool:
        """Pass on what has come; tell whether more may."""
        while self.is_stalled and not pair.is_closed and not self._is_over:
            threading.Event().wait(_LOOK_S)
        data = source.recv(_CHUNK)
        pair.passed_bytes += len(data)
        if self.cut_after_bytes is not None and pair.passed_bytes > self.cut_after_bytes:
            pair.reset()
            return False
        if not data:
            target.shutdown(socket.SHUT_WR)
            return False
        target.sendall(data)
        return True

    def _spawn(self, run: object, *args: object) -> None:
        assert callable(run)
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()


def _listening(at: Address) -> socket.socket:
    if isinstance(at, str):
        with contextlib.suppress(FileNotFoundError):
            Path(at).unlink()
    listener = socket.socket(socket.AF_UNIX if isinstance(at, str) else socket.AF_INET)
    if not isinstance(at, str):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(at)
    listener.listen(128)
    return listener


def _connected(to: Address) -> socket.socket:
    one = socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET)
    one.settimeout(10)
    try:
        one.connect(to)
    except OSError:
        one.close()
        raise
    return one
