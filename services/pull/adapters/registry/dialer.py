"""New connections: TCP, a proxy's tunnel where one is needed, TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11
import httpx

from services.pull.adapters.registry.connection import Connection
from services.pull.adapters.registry.proxies import Proxies, Proxy
from services.pull.adapters.registry.reasons import in_words
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.wire import Pace, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whom a connection is to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Origin:
        """Return the origin of *url*."""
        default = 443 if url.scheme == "https" else 80
        # As DNS has it: decoded, Python would encode it by older rules, which lead elsewhere.
        return cls(scheme=url.scheme, host=url.raw_host.decode(), port=url.port or default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """Makes connections."""

    limits: Limits
    #: The TLS context for an origin.
    tls: Callable[[Origin], ssl.SSLContext]
    proxies: Proxies = field(default_factory=Proxies)

    async def dial(self, origin: Origin) -> Connection:
        """Open a connection; raises httpx.ConnectError, ConnectTimeout or ProxyError."""
        proxy = self.proxies.between(origin.scheme, origin.host, origin.port)
        if proxy:
            wire = await self._open("proxy ", proxy.host, proxy.port)
        else:
            wire = await self._open("", origin.host, origin.port)
        try:
            if proxy and proxy.is_tls:
                await self._start_tls(wire, ssl.create_default_context(), proxy.host)
            if proxy and origin.scheme == "https":
                await self._tunnel(wire, proxy, origin)
            if origin.scheme == "https":
                await self._start_tls(wire, self.tls(origin), origin.host)
        except BaseException:
            wire.close()
            raise
        forwarder = proxy if proxy and origin.scheme == "http" else None
        return Connection(wire, self.limits, forwarder=forwarder)

    async def _open(self, called: str, host: str, port: int) -> Wire:
        loop = asyncio.get_running_loop()
        async with _connecting(f"{called}{host}:{port}", self.limits.dial_s):
            _, wire = await loop.create_connection(lambda: Wire(self.limits), host, port)
        return wire

    async def _start_tls(self, wire: Wire, context: ssl.SSLContext, host: str) -> None:
        loop = asyncio.get_running_loop()
        async with _connecting(f"TLS with {host}", self.limits.tls_s):
            transport = await loop.start_tls(wire.transport, wire, context, server_hostname=host)
        if transport is None:
            raise httpx.ConnectError(f"TLS with {host}: the peer closed the connection")
        wire.secure(transport)

    async def _tunnel(self, wire: Wire, proxy: Proxy, origin: Origin) -> None:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.port}".encode()
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=self.limits.head_bytes)
        headers = [(b"Host", target), *proxy.headers]
        await wire.write(
            http.send(h11.Request(method="CONNECT", target=target, headers=headers)) or b""
        )
        async with _connecting(f"proxy {proxy.host}:{proxy.port}", self.limits.dial_s):
            pace = Pace(stall_s=self.limits.dial_s, min_rate_bytes_per_s=1)
            event = http.next_event()
            while event is h11.NEED_DATA:
                http.receive_data(await wire.read(self.limits.head_bytes, pace=pace))
                event = http.next_event()
        if not isinstance(event, h11.Response) or event.status_code != 200:
            status = getattr(event, "status_code", "nothing")
            raise httpx.ProxyError(f"proxy {proxy.host}:{proxy.port} answered {status} to CONNECT")


@asynccontextmanager
async def _connecting(what: str, limit_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise httpx.ConnectTimeout(f"{what}: no connection within {limit_s:g} s") from error
    except (OSError, h11.RemoteProtocolError) as error:
        raise httpx.ConnectError(f"{what}: {in_words(error)}") from error
