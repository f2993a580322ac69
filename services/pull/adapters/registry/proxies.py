"""Which proxy stands between us and a registry: HTTPS_PROXY, HTTP_PROXY and NO_PROXY."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import httpx

from shared import errdefs


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A forward proxy; its password shows nowhere."""

    host: str
    port: int
    #: Whether the proxy itself is spoken to over TLS.
    is_tls: bool
    #: The value of Proxy-Authorization, empty for none.
    authorization: str

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that the proxy itself asks for."""
        if not self.authorization:
            return []
        return [(b"Proxy-Authorization", self.authorization.encode())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies of an environment, read as Go's net/http reads them."""

    http: Proxy | None = None
    https: Proxy | None = None
    no_proxy: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Proxies:
        """Read HTTP_PROXY, HTTPS_PROXY, NO_PROXY or their lower-case forms.

        Raises InvalidArgument naming the variable that is wrong.
        """
        rules = env.get("NO_PROXY") or env.get("no_proxy") or ""
        return cls(
            http=_proxy(env, "HTTP_PROXY"),
            https=_proxy(env, "HTTPS_PROXY"),
            no_proxy=tuple(rule.strip().lower() for rule in rules.split(",") if rule.strip()),
        )

    def between(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy to *host*; there is never one to this machine itself."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or _is_loopback(host):
            return None
        if any(_matches(rule, host.lower(), port) for rule in self.no_proxy):
            return None
        return proxy


def _proxy(env: Mapping[str, str], variable: str) -> Proxy | None:
    value = env.get(variable) or env.get(variable.lower())
    if not value:
        return None
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
        is_sound = url.scheme in ("http", "https") and bool(url.host)
    except (httpx.InvalidURL, UnicodeError):  # not passed on: it may show the password
        is_sound = False
    if not is_sound:
        raise errdefs.InvalidArgument(f"{variable}: must be http://host:port or https://host:port")
    user = f"{unquote(url.username)}:{unquote(url.password)}"
    return Proxy(
        host=url.raw_host.decode(),
        port=url.port or (443 if url.scheme == "https" else 80),
        is_tls=url.scheme == "https",
        authorization=f"Basic {base64.b64encode(user.encode()).decode()}" if url.username else "",
    )


def _matches(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    name, _, rule_port = rule.rpartition(":") if rule.count(":") == 1 else (rule, "", "")
    if rule_port and rule_port != str(port):
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        suffix = name.removeprefix("*").lstrip(".")
        return host == suffix or host.endswith(f".{suffix}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
