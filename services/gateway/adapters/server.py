"""uvicorn inside our loop: our sockets, our signals, our limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

from services.gateway.adapters.http_protocol import HijackableProtocol
from services.gateway.adapters.listening import Sockets

#: dockerd never closes an idle connection; clients that send just then see an error.
_IDLE_LIMIT_S: Final = 600

App = Callable[..., Any]


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service."""
        yield


async def serve_all(app: App, sockets: Sockets, *, stop: asyncio.Event, grace_s: int) -> None:
    """Serve on all sockets until *stop*, and then as `serve_http` does."""
    async with asyncio.TaskGroup() as servers:
        servers.create_task(serve_http(app, sockets.plain, stop=stop, grace_s=grace_s))
        if sockets.tls:
            tls = serve_http(app, sockets.tls, stop=stop, grace_s=grace_s, tls=sockets.context)
            servers.create_task(tls)


async def serve_http(
    app: App,
    sockets: list[socket.socket],
    *,
    stop: asyncio.Event,
    grace_s: int,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until *stop*, then let what is in hand finish within *grace_s*."""
    config = uvicorn.Config(
        app,
        http=HijackableProtocol,
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
    config.load()
    config.ssl = tls
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=sockets))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
