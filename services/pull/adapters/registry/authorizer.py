"""The Authorization header of one endpoint: found out by its challenges, never by guessing."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from services.pull.adapters.registry import challenge
from services.pull.adapters.registry.challenge import Challenge
from services.pull.adapters.registry.credentials import Credentials
from services.pull.adapters.registry.endpoints import Endpoint
from services.pull.adapters.registry.settings import Hosts
from services.pull.adapters.registry.tokens import AccessRefused, Ask, Token, TokenRequest, Tokens


class Authorizer:
    """Authenticates the requests of one operation to one endpoint."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        credentials: Credentials | None,
        scopes: frozenset[str],
        tokens: Tokens,
        hosts: Hosts,
        ask: Ask,
        is_login: bool = False,
    ) -> None:
        self._endpoint = endpoint
        # The one place where it is decided who sees a login.
        self._credentials = credentials if credentials and endpoint.may_see(credentials) else None
        self._scopes = scopes
        self._tokens = tokens
        self._hosts = hosts
        self._ask = ask
        self._is_login = is_login
        self._wanted: TokenRequest | None = None
        self._token: Token | None = None
        self._header = ""
        if self._credentials and self._credentials.registry_token:
            self._header = f"Bearer {self._credentials.registry_token}"

    @property
    def refresh_token(self) -> str:
        """Return what a token server gave to be kept in place of a password."""
        return self._token.refresh_token if self._token else ""

    async def header(self) -> str:
        """Return the header for the next request, empty for none.

        Raises AccessRefused where a token ran out and no other is to be had.
        """
        if self._wanted is not None:
            await self._fetch(self._wanted)
        return self._header

    async def challenged(self, response: httpx.Response) -> bool:
        """Take in a 401; say whether the request may be sent again with what we have now.

        Raises AccessRefused with the reason where it may not.
        """
        if self._credentials and self._credentials.registry_token:
            raise AccessRefused("the registry token was refused", status=401)
        # Not our header of now: a request sent at the same time may have changed it meanwhile.
        refused = response.request.headers.get("Authorization", "")
        asked = challenge.parse(response.headers.get_list("WWW-Authenticate"))
        if bearer := challenge.find(asked, "bearer"):
            return await self._renew(bearer, refused.removeprefix("Bearer "))
        if not challenge.find(asked, "basic"):
            return False
        return self._use_password(refused)

    def _use_password(self, refused: str) -> bool:
        if not self._credentials or not self._credentials.has_password:
            raise AccessRefused("authorization failed: no basic auth credentials", status=401)
        if refused == self._credentials.basic:
            raise AccessRefused("authorization failed: user name or password is wrong", status=401)
        self._header = self._credentials.basic
        return True

    async def _renew(self, bearer: Challenge, refused: str) -> bool:
        reason = bearer.parameters.get("error", "")
        wanted = self._token_request(bearer)
        if refused and reason == "insufficient_scope" and wanted == self._wanted:
            raise AccessRefused(f"server message: {reason}: authorization failed", status=401)
        self._wanted = wanted
        await self._fetch(wanted, instead_of=refused)
        return True

    async def _fetch(self, wanted: TokenRequest, *, instead_of: str = "") -> None:
        self._token = await self._tokens.get(wanted, self._ask, instead_of=instead_of)
        self._header = f"Bearer {self._token.value}"

    def _token_request(self, bearer: Challenge) -> TokenRequest:
        realm = bearer.parameters.get("realm", "")
        return TokenRequest(
            realm=self._checked(realm),
            service=bearer.parameters.get("service", ""),
            scopes=merged([*self._scopes, *bearer.parameters.get("scope", "").split()]),
            credentials=self._credentials,
            is_offline=self._is_login,
        )

    def _checked(self, realm: str) -> str:
        """Return the token server's address if a login may be sent there."""
        try:
            url = httpx.URL(realm)
            host = url.host
        except (httpx.InvalidURL, UnicodeError) as error:
            raise AccessRefused("the registry names no token server that can be asked") from error
        authority = url.netloc.decode()
        if url.scheme == "https" and host and not url.userinfo:
            return realm
        if url.scheme == "http" and self._hosts.is_insecure(authority):
            return realm
        raise AccessRefused(
            f"the registry names the token server {url.scheme}://{authority}: "
            "logins go there only over https"
        )


def merged(scopes: Iterable[str]) -> frozenset[str]:
    """Join scopes of the same repository, ``…:pull`` and ``…:push`` to ``…:pull,push``."""
    actions: dict[str, set[str]] = {}
    for scope in scopes:
        resource, _, wanted = scope.rpartition(":")
        actions.setdefault(resource, set()).update(wanted.split(","))
    return frozenset(
        f"{resource}:{','.join(sorted(wanted))}" for resource, wanted in actions.items()
    )


def repository_scopes(path: str, *, push: bool) -> frozenset[str]:
    """Return the scopes of a repository; Docker Hub keeps plugins under a class of their own."""
    actions = "pull,push" if push else "pull"
    return frozenset({f"repository(plugin):{path}:{actions}", f"repository:{path}:{actions}"})
