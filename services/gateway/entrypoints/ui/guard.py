"""Who may use the console from a browser: the right host, the same site, a form of ours."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from services.gateway.entrypoints.http import Headers, Request, Scope
from shared import errdefs

_COOKIE: Final = "wherry-session"
_THEME: Final = "wherry-theme"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a browser: its session, and what its forms must bring."""

    session: str
    token: str
    #: Whether the browser has yet to be given its session.
    is_new: bool
    theme: str

    def cookies(self, *, is_encrypted: bool) -> Headers:
        """Return the headers that give the browser its session."""
        if not self.is_new:
            return ()
        return (_set_cookie(_COOKIE, self.session, is_encrypted=is_encrypted),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Checks requests; its key lives as long as the gateway, so pages older than that reload."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def visit(self, request: Request) -> Visit:
        """Return whose request it is; raises PermissionDenied for a host that is not ours."""
        _check_host(request.scope)
        cookies = cookies_of(request)
        session = cookies.get(_COOKIE, "")
        is_new = len(session) != len(secrets.token_urlsafe())
        session = secrets.token_urlsafe() if is_new else session
        return Visit(
            session=session,
            token=hmac.new(self.key, session.encode(), "sha256").hexdigest(),
            is_new=is_new,
            theme=_theme(cookies),
        )

    def check_form(self, request: Request, visit: Visit, token: str) -> None:
        """Raise PermissionDenied unless the form came from a page of ours, of this gateway."""
        content_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
        if content_type != _FORM:
            raise errdefs.InvalidArgument("the console takes forms only; see /wherry/v1 for an API")
        _check_site(request)
        if visit.is_new or not hmac.compare_digest(token.encode(), visit.token.encode()):
            raise errdefs.PermissionDenied(
                "this page is older than the gateway, or cookies are blocked: nothing was done; "
                "load the page anew and try again"
            )


def stranger(request: Request) -> Visit:
    """Return the visit of who is shown an error: no form of that page does anything."""
    return Visit(session="", token="", is_new=False, theme=_theme(cookies_of(request)))


def theme_cookie(theme: str, *, is_encrypted: bool) -> tuple[bytes, bytes]:
    """Return the header that remembers a theme for a year."""
    name, value = _set_cookie(_THEME, theme, is_encrypted=is_encrypted)
    return name, value + b"; Max-Age=31536000"


def cookies_of(request: Request) -> dict[str, str]:
    """Return a request's cookies; what can't be read is none."""
    try:
        parsed = SimpleCookie(request.header(b"cookie") or "")
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in parsed.items()}


def is_encrypted(scope: Scope) -> bool:
    """Tell whether the request came over TLS."""
    return scope.get("scheme") == "https"


def _theme(cookies: Mapping[str, str]) -> str:
    theme = cookies.get(_THEME, "")
    return theme if theme in {"light", "dark"} else ""


def _set_cookie(name: str, value: str, *, is_encrypted: bool) -> tuple[bytes, bytes]:
    flags = "; Secure" if is_encrypted else ""
    return b"set-cookie", f"{name}={value}; Path=/ui; HttpOnly; SameSite=Strict{flags}".encode()


def _check_host(scope: Scope) -> None:
    """Refuse names that somebody had resolve to a loopback address of this machine."""
    is_on_plain_tcp = scope.get("client") is not None and not is_encrypted(scope)
    if not is_on_plain_tcp:
        return
    host = next((bytes(v).decode("latin-1") for k, v in scope["headers"] if k == b"host"), "")
    if _hostname(f"//{host}") not in _LOOPBACK:
        raise errdefs.PermissionDenied(
            f"the console is not served as {host}: use the address 127.0.0.1 or localhost"
        )


def _check_site(request: Request) -> None:
    site = request.header(b"sec-fetch-site")
    origin = request.header(b"origin")
    is_ours = site in {None, "same-origin"} and (
        origin is None or urlsplit(origin).netloc == request.header(b"host")
    )
    if not is_ours or (site is None and origin is None):
        raise errdefs.PermissionDenied("a page of another site sent this form: nothing was done")


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
