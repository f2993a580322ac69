"""The registry client's front door: repositories to pull from and push to, logins to try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from services.pull.adapters.registry import faults
from services.pull.adapters.registry.authorizer import Authorizer, repository_scopes
from services.pull.adapters.registry.call import Call
from services.pull.adapters.registry.clients import Clients
from services.pull.adapters.registry.credentials import DOCKER_HUB, Credentials
from services.pull.adapters.registry.endpoints import Endpoint, endpoints_of, may_go_on
from services.pull.adapters.registry.repository import Repository
from services.pull.adapters.registry.retry import Retry
from services.pull.adapters.registry.session import Session, Sleep
from services.pull.adapters.registry.settings import Hosts, Limits
from services.pull.adapters.registry.token_server import TokenServer
from services.pull.adapters.registry.tokens import AccessRefused, Tokens
from shared import errdefs
from shared.oci.reference import Reference

_META = "x-meta-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login that a registry took."""

    #: To be kept in place of the password, where the registry gives one.
    identity_token: str = field(default="", repr=False)
    status: str = "Login Succeeded"


class Registry:
    """All registries, as one node speaks to them.

    One for the life of a process: it keeps connections and tokens. It belongs to the event loop
    that first uses it. *env* is where proxies are named.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        hosts: Hosts | None = None,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._limits = limits or Limits()
        self._hosts = hosts or Hosts()
        self._sleep = sleep
        self._tokens = Tokens(self._limits, clock)
        self._clients = Clients(limits=self._limits, hosts=self._hosts, env=env or {})
        self._token_server = TokenServer(
            clients=self._clients,
            hosts=self._hosts,
            retry=Retry(limits=self._limits),
            sleep=sleep,
        )

    def repository(
        self,
        reference: Reference,
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        push: bool = False,
    ) -> Repository:
        """Return the repository of *reference* for one operation; asks nothing yet.

        Of *headers* the X-Meta ones go to the registry with every request. Raises
        InvalidArgument for a host, a mirror or a certificate that can't be used.
        """
        meta = {
            name: value for name, value in (headers or {}).items() if name.lower().startswith(_META)
        }
        login = credentials.bound_to(reference.domain) if credentials else None
        endpoints = endpoints_of(reference.domain, self._hosts, push=push)
        sessions = [
            self._session(
                endpoint,
                login,
                repository_scopes(reference.path, push=push),
                denied=partial(
                    faults.access_denied, verb="push" if push else "pull", host=endpoint.authority
                ),
                meta=meta,
                is_last=endpoint is endpoints[-1],
            )
            for endpoint in endpoints
        ]
        return Repository(reference, sessions)

    async def login(self, credentials: Credentials) -> Login:
        """Try a login at the host it is for, Docker Hub where it names none.

        Raises Unauthenticated, in Docker's words, where it is refused; Unavailable where nobody
        can be asked.
        """
        login = credentials.bound_to(DOCKER_HUB)
        authorizer = await self._pinged(login.server, login)
        return Login(identity_token=authorizer.refresh_token)

    async def ping(self, domain: str) -> None:
        """Ask whether a registry is there and takes us without a login.

        Raises Unauthenticated where it does not, Unavailable where nobody can be asked.
        """
        await self._pinged(domain, None)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()

    async def _pinged(self, domain: str, login: Credentials | None) -> Authorizer:
        endpoints = endpoints_of(domain, self._hosts, push=True)
        for endpoint in endpoints:
            session = self._session(
                endpoint,
                login,
                frozenset(),
                denied=partial(faults.login_refused, url=f"{endpoint.url}/v2/"),
                is_last=endpoint is endpoints[-1],
                is_login=login is not None,
            )
            try:
                await session.expect(
                    Call(method="GET", url="/v2/", what=f'Get "{endpoint.url}/v2/"'), 200
                )
            except errdefs.Error as error:
                if endpoint is endpoints[-1] or not may_go_on(error, endpoint):
                    raise
            else:
                return session.authorizer
        raise AssertionError("the last endpoint answers or raises")

    def _session(
        self,
        endpoint: Endpoint,
        login: Credentials | None,
        scopes: frozenset[str],
        *,
        denied: Callable[[AccessRefused], errdefs.Error],
        is_last: bool,
        is_login: bool = False,
        meta: Mapping[str, str] | None = None,
    ) -> Session:
        authorizer = Authorizer(
            endpoint=endpoint,
            credentials=login,
            scopes=scopes,
            tokens=self._tokens,
            hosts=self._hosts,
            ask=self._token_server.ask,
            is_login=is_login,
        )
        retry = Retry(limits=self._limits, is_mirror=endpoint.is_mirror, is_last=is_last)
        return Session(
            endpoint=endpoint,
            client=self._clients.of(endpoint),
            authorizer=authorizer,
            retry=retry,
            sleep=self._sleep,
            denied=denied,
            meta=meta or {},
        )
