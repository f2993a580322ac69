"""HTTP over a unix socket."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


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
