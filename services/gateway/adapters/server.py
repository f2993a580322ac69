"""uvicorn inside our loop: our sockets, our signals, our limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from services.gateway.adapters.http_protocol import HEAD_LIMIT_S, HijackableProtocol
from services.gateway.adapters.listening import Sockets
from services.gateway.adapters.long_answers import LongAnswers

App = Callable[..., Any]
#: Gives the answer to a head, behind its date; None where the application must.
Ready = Callable[[bytes], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many seconds a client may take."""

    head_s: float = HEAD_LIMIT_S
    #: Between two requests. dockerd waits for ever; clients that send just then see an error.
    idle_s: int = 600


_LIMITS: Final = Limits()


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service."""
        yield


def _protocol(answers: Ready | None, long: LongAnswers, limits: Limits) -> type[HijackableProtocol]:
    class Protocol(HijackableProtocol):
        long_answers = long
        head_limit_s = limits.head_s

        def ready(self, head: bytes) -> bytes | None:
            return answers(head) if answers is not None else None

    return Protocol


async def serve_all(
    app: App, sockets: Sockets, *, stop: asyncio.Event, grace_s: int, ready: Ready | None = None
) -> None:
    """Serve on all sockets until *stop*, and then as `serve_http` does."""
    async with asyncio.TaskGroup() as servers:
        plain = serve_http(app, sockets.plain, stop=stop, grace_s=grace_s, ready=ready)
        servers.create_task(plain)
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
    ready: Ready | None = None,
    limits: Limits = _LIMITS,
) -> None:
    """Serve until *stop*, then let what is in hand finish within *grace_s*.

    *ready* is asked first whether the answer to a request lies ready.
    """
    long = LongAnswers()
    config = uvicorn.Config(
        app,
        http=_protocol(ready, long, limits),
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        # Else a client on loopback could say that it is another.
        proxy_headers=False,
        timeout_keep_alive=limits.idle_s,
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
        long.close()
