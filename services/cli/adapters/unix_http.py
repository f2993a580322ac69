"""HTTP over a unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shared import errdefs

_HEAD_LIMIT: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_SWITCHED: Final = 101


class UnixConnection(http.client.HTTPConnection):
    """A connection to whoever listens at a path; without a timeout it waits for ever."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("wherry", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect; raises OSError when nobody listens."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class HijackedConnection:
    """ports.Connection: one that was asked for by HTTP, and is raw bytes both ways from then on."""

    def __init__(self, path: Path, target: str, body: Mapping[str, Any]) -> None:
        """Ask for it; raises what is answered instead, and as a connection does."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(path))
            self._ask(target, json.dumps(body).encode())
        except BaseException:
            self.close()
            raise

    def send(self, data: bytes) -> None:
        """Send bytes; raises OSError when nobody takes them."""
        self._socket.sendall(data)

    def end(self) -> None:
        """Send no more."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self) -> bytes:
        """Wait for bytes and return them; nothing at the end."""
        return self._socket.recv(_READ_BYTES)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, target: str, content: bytes) -> None:
        head = (
            f"POST {target} HTTP/1.1\r\nHost: wherry\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + content)
        if self._read_status() != _SWITCHED:
            with self._socket.makefile("rb") as rest:
                raise errdefs.from_wire(json.loads(rest.read()))

    def _read_status(self) -> int:
        """Read the head, and not a byte behind it."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._socket.recv(1)
            if not byte or len(head) > _HEAD_LIMIT:
                raise http.client.HTTPException("the answer has no head")
            head += byte
        return int(head.split(b" ", 2)[1])
