"""uvicorn inside our loop: our sockets, our signals, our limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of a request's line and headers; the parser itself knows no limit.
HEAD_LIMIT: Final = 64 * 1024
#: dockerd never closes an idle connection; clients that send just then see an error.
_IDLE_LIMIT_S: Final = 600
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)

App = Callable[..., Any]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to what a request's head may grow to."""

    _is_in_head = False
    _head_bytes = 0
    #: ASGI's TLS extension, where the client has shown a certificate.
    _tls: dict[object, object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note whose certificate was verified."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        if shown:
            self._tls = {"client_cert_chain": (ssl.DER_cert_to_PEM_cert(shown),)}

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._is_in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take data in, and hang up when a head does not end."""
        super().data_received(data)
        self._head_bytes += len(data)
        if self._is_in_head and self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service."""
        yield


async def serve_http(
    app: App, sockets: list[socket.socket], *, stop: asyncio.Event, grace_s: int
) -> None:
    """Serve until *stop*, then let what is in hand finish within *grace_s*."""
    server = _Uvicorn(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_LIMIT_S,
            timeout_graceful_shutdown=grace_s,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=sockets))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
