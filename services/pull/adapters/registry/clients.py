"""One httpx client an endpoint, kept for the life of the process."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from weakref import WeakSet

import httpx

from services.pull.adapters.registry.certs import Certificates, Stamp
from services.pull.adapters.registry.dialer import Dialer, Origin
from services.pull.adapters.registry.endpoints import Endpoint
from services.pull.adapters.registry.proxies import Proxies
from services.pull.adapters.registry.settings import Hosts, Limits
from services.pull.adapters.registry.transport import Transport
from shared.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    client: httpx.AsyncClient
    transport: Transport
    stamp: Stamp


class Clients:
    """The clients of all endpoints."""

    def __init__(self, *, limits: Limits, hosts: Hosts, env: Mapping[str, str]) -> None:
        self._limits = limits
        self._hosts = hosts
        self._proxies = Proxies.from_env(env)
        self._kept: dict[Endpoint, _Kept] = {}
        #: Of clients before: each is there until its last connection is unused for long enough.
        self._replaced = WeakSet[Transport]()

    def of(self, endpoint: Endpoint) -> httpx.AsyncClient:
        """Return the client of *endpoint*; a new one where its certificates have changed.

        Raises InvalidArgument for certificates that can't be used.
        """
        certificates = Certificates(folder=self._hosts.certificates / endpoint.authority)
        stamp = certificates.stamp() if endpoint.scheme == "https" else ()
        kept = self._kept.get(endpoint)
        if kept is not None and kept.stamp == stamp:
            return kept.client
        if kept is not None:  # requests may still be under way on it
            self._replaced.add(kept.transport)
        transport = self._transport(endpoint, certificates)
        client = _client(transport)
        self._kept[endpoint] = _Kept(client=client, transport=transport, stamp=stamp)
        return client

    async def aclose(self) -> None:
        """Close all connections that are not in use."""
        for kept in self._kept.values():
            await kept.client.aclose()
        for transport in list(self._replaced):
            await transport.aclose()
        self._kept.clear()
        self._replaced.clear()

    def _transport(self, endpoint: Endpoint, certificates: Certificates) -> Transport:
        tls = _Tls(endpoint, certificates)
        return Transport(Dialer(limits=self._limits, tls=tls.context, proxies=self._proxies))


def _client(transport: Transport) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        # A proxy is the dialer's business, and ~/.netrc holds nothing for a registry.
        trust_env=False,
        # One operation must not leave a session behind that the next one has.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # A blob is what its digest says, so nobody may compress it on its way.
        headers={"User-Agent": f"wherry/{VERSION}", "Accept-Encoding": "identity"},
    )


class _Tls:
    """The TLS contexts of one endpoint: its own, and the one for where it redirects to."""

    def __init__(self, endpoint: Endpoint, certificates: Certificates) -> None:
        self._endpoint = endpoint
        self._certificates = certificates
        self._home = Origin.of(httpx.URL(endpoint.url))
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def context(self, origin: Origin) -> ssl.SSLContext:
        """Return the context: only the endpoint itself sees our certificate, or goes unverified."""
        is_home = origin == self._home
        if is_home not in self._contexts:
            self._contexts[is_home] = self._certificates.context(
                is_verified=not (is_home and self._endpoint.is_insecure),
                with_client_pair=is_home,
            )
        return self._contexts[is_home]
