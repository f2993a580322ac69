"""A plugin as a server of the test's own: on a unix socket, over TCP or TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, Self

#: What a method answers to its arguments: the status and a JSON value.
Answers = Callable[[str, dict[str, Any]], tuple[int, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A call as it arrived."""

    method: str
    headers: dict[str, str]
    args: dict[str, Any] = field(default_factory=dict)


class PluginServer(ThreadingMixIn, UnixStreamServer):
    """Serves in threads, and keeps what it was asked; *at* is a path or a TCP port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, at: Path | None, answers: Answers, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answers = answers
        self.calls: list[Called] = []
        self._tls = tls
        self.address_family = socket.AF_INET if at is None else socket.AF_UNIX
        address: Any = ("127.0.0.1", 0) if at is None else str(at)
        super().__init__(address, _Handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        """Return the TCP port."""
        return int(self.socket.getsockname()[1])

    @property
    def called(self) -> list[str]:
        """Return the methods that were called, oldest first."""
        return [call.method for call in self.calls]

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, with TLS where it is spoken."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        return connection, address or "plugin"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: tests hang up on purpose."""

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PluginServer

    def do_POST(self) -> None:
        """Answer one call."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        args = json.loads(body) if body else {}
        method = self.path.lstrip("/")
        self.server.calls.append(Called(method=method, headers=dict(self.headers), args=args))
        status, value = self.server.answers(method, args)
        said = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""
