"""What OTLP over HTTP is sent to, on loopback."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_PATH = "/v1/traces"


class OtlpEndpoint:
    """Hands on each export request of traces as it came, unpacked, from a thread of its own."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(take))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Begin to receive."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop receiving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT must say."""
        return f"http://127.0.0.1:{self._server.server_port}"


def _handler(take: Callable[[bytes], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == _PATH:
                take(body)
            self.send_response(HTTPStatus.OK if self.path == _PATH else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing: the screen is somebody else's."""

    return Handler
