"""Bearer tokens: asked of the server a registry names, kept until they expire.

The token protocol is Docker's (distribution, spec/auth): GET with Basic credentials, and POST as
OAuth 2 has it (RFC 6749, sections 4.3 and 6). Scopes say what for: ``repository:<path>:pull,push``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from services.pull.adapters.registry.credentials import Credentials
from services.pull.adapters.registry.settings import Limits

CLIENT_ID: Final = "wherry"
#: A server that answers a POST so may know only GET (containerd's rule).
_KNOWS_NO_POST: Final = frozenset({400, 401, 404, 405})

#: Sends one request to a token server and returns status and body; redirects are not followed.
Ask = Callable[[httpx.Request], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What a token is asked for, of whom, and as whom."""

    realm: str
    service: str = ""
    scopes: frozenset[str] = frozenset()
    credentials: Credentials | None = None
    #: Ask for a refresh token too: a login that is to be kept.
    is_offline: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """Return what a token may be used again for; holds no secret."""
        who = self.credentials.fingerprint if self.credentials else b""
        return (self.realm, self.service, self.scopes, self.is_offline, who)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token and when, on the clock of Tokens, it ends."""

    value: str
    expires: float
    refresh_token: str = ""

    def __repr__(self) -> str:
        return f"Token(expires={self.expires})"


class AccessRefused(Exception):
    """There is no login for a request; the text says why."""

    def __init__(self, message: str, *, status: int = 0, is_by_token_server: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_by_token_server = is_by_token_server


class Tokens:
    """The tokens of this process; requests for the same one wait for one another."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._tokens: dict[tuple[object, ...], Token] = {}
        self._fetching: dict[tuple[object, ...], asyncio.Lock] = {}

    async def get(self, wanted: TokenRequest, ask: Ask, *, instead_of: str = "") -> Token:
        """Return a token that is good now, and is not the refused one *instead_of*.

        Raises AccessRefused, and what *ask* raises.
        """
        key = wanted.key
        lock = self._fetching.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                token = self._tokens.get(key)
                if token is None or token.expires <= self._clock() or token.value == instead_of:
                    token = await self._fetch(wanted, ask)
                    self._keep(key, token)
                return token
        finally:
            if not lock.locked():
                self._fetching.pop(key, None)

    async def _fetch(self, wanted: TokenRequest, ask: Ask) -> Token:
        """Ask for a token; by POST where there is something to log in with."""
        began = self._clock()
        login = wanted.credentials
        # A refresh token is asked for by GET, as Docker does; POST servers differ in how.
        if login is None or (wanted.is_offline and not login.identity_token):
            return self._read(await ask(_get(wanted)), wanted, began)
        status, body = await ask(_post(wanted, login))
        if status in _KNOWS_NO_POST and not login.identity_token:
            status, body = await ask(_get(wanted))
        return self._read((status, body), wanted, began)

    def _read(self, answer: tuple[int, bytes], wanted: TokenRequest, began: float) -> Token:
        status, body = answer
        host = httpx.URL(wanted.realm).host
        if status != 200:
            said = _message(body)
            reason = f"token server {host} answered {status}"
            message = f"{reason}: {said}" if said else reason
            raise AccessRefused(message, status=status, is_by_token_server=True)
        found = _object(body)
        value = str(found.get("token") or found.get("access_token") or "")
        if not value or not value.isascii() or not value.isprintable():
            raise AccessRefused(f"token server {host} sent no token", is_by_token_server=True)
        return Token(
            value=value,
            expires=began + self._lifetime_s(found.get("expires_in")),
            refresh_token=str(found.get("refresh_token") or ""),
        )

    def _lifetime_s(self, expires_in: object) -> float:
        # JSON's numbers may be longer than a float holds, and Python reads Infinity among them.
        is_number = isinstance(expires_in, int | float) and 0 < expires_in <= sys.float_info.max
        lifetime = float(expires_in) if is_number else self._limits.token_default_s  # type: ignore[arg-type] # is_number
        return lifetime - min(self._limits.token_leeway_s, lifetime / 2)

    def _keep(self, key: tuple[object, ...], token: Token) -> None:
        now = self._clock()
        alive = {kept: old for kept, old in self._tokens.items() if old.expires > now}
        while len(alive) >= self._limits.tokens:
            del alive[min(alive, key=lambda kept: alive[kept].expires)]
        alive[key] = token
        self._tokens = alive


def _get(wanted: TokenRequest) -> httpx.Request:
    login = wanted.credentials
    url = httpx.URL(wanted.realm)
    for name, value in _asked(wanted, sorted(wanted.scopes)):
        url = url.copy_add_param(name, value)
    if login and login.has_password:
        url = url.copy_add_param("account", login.username)
    if wanted.is_offline:
        url = url.copy_add_param("offline_token", "true").copy_add_param("client_id", CLIENT_ID)
    headers = {"Authorization": login.basic} if login and login.has_password else {}
    return httpx.Request("GET", url, headers=headers)


def _post(wanted: TokenRequest, login: Credentials) -> httpx.Request:
    form = dict(_asked(wanted, [" ".join(sorted(wanted.scopes))] if wanted.scopes else []))
    form["client_id"] = CLIENT_ID
    if login.identity_token:
        form |= {"grant_type": "refresh_token", "refresh_token": login.identity_token}
    else:
        form |= {"grant_type": "password", "username": login.username, "password": login.password}
    return httpx.Request("POST", wanted.realm, data=form)


def _asked(wanted: TokenRequest, scopes: Iterable[str]) -> list[tuple[str, str]]:
    service = [("service", wanted.service)] if wanted.service else []
    return [*service, *(("scope", scope) for scope in scopes)]


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _message(body: bytes) -> str:
    """Return what a token server says in one of the three forms that are in use."""
    found = _object(body)
    errors = found.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    if isinstance(first, dict) and first.get("message"):
        return str(first["message"])[:300]
    return str(found.get("details") or found.get("error_description") or found.get("error") or "")[
        :300
    ]
