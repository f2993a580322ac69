"""Where a registry is asked: its mirrors, https, and plain http where that is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from services.pull.adapters.registry.credentials import Credentials, canonical_host
from services.pull.adapters.registry.settings import Hosts
from shared import errdefs
from shared.oci.reference import DEFAULT_DOMAIN

_HUB: Final = "registry-1.docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place that answers for a registry."""

    scheme: str
    #: ``host[:port]``
    authority: str
    #: Its TLS is not verified, and plain HTTP is allowed, because an operator said so.
    is_insecure: bool = False
    #: A mirror is asked for content, never given any.
    is_mirror: bool = False

    @property
    def url(self) -> str:
        """Return the address without a path."""
        return f"{self.scheme}://{self.authority}"

    def may_see(self, credentials: Credentials) -> bool:
        """Say whether *credentials* were given for this host and travel safely enough."""
        return credentials.is_for(self.authority) and (self.scheme == "https" or self.is_insecure)


def endpoints_of(domain: str, hosts: Hosts, *, push: bool = False) -> tuple[Endpoint, ...]:
    """Return the endpoints of a reference's *domain* in the order they are to be asked.

    Raises InvalidArgument for a domain or a mirror that is not an address.
    """
    if not _is_address(f"https://{domain}"):
        raise errdefs.InvalidArgument(
            "the registry's name is not that of a host: write host[:port]"
        )
    if canonical_host(domain) == DEFAULT_DOMAIN:
        mirrors = () if push else tuple(_mirror(address, hosts) for address in hosts.mirrors)
        return (*mirrors, Endpoint(scheme="https", authority=_HUB))
    is_insecure = hosts.is_insecure(domain)
    secure = Endpoint(scheme="https", authority=domain, is_insecure=is_insecure)
    if not is_insecure:
        return (secure,)
    return secure, Endpoint(scheme="http", authority=domain, is_insecure=True)


def may_go_on(error: errdefs.Error, failed: Endpoint) -> bool:
    """Say whether the next endpoint may be asked after *failed* gave *error*.

    Any failure of a mirror sends the question on, but for a 403: such a mirror has the answer
    and withholds it, and going round it would go round somebody's policy. A host that has
    spoken TLS, whatever it said, is not asked again in the clear.
    """
    if failed.is_mirror:
        return error.detail.get("status") != 403
    return bool(error.detail.get("is_unreached"))


def _mirror(address: str, hosts: Hosts) -> Endpoint:
    url = address if "://" in address else f"https://{address}"
    if not _is_address(url):
        raise errdefs.InvalidArgument(
            f"invalid mirror: {address.rpartition('@')[2]!r} is not an address: "
            "write https://host[:port]"
        )
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise errdefs.InvalidArgument(
            f"invalid mirror: path, query, fragment or user in {parts.scheme}://{parts.hostname}: "
            "write https://host[:port]"
        )
    return Endpoint(
        scheme=parts.scheme,
        authority=parts.netloc,
        is_insecure=hosts.is_insecure(parts.netloc),
        is_mirror=True,
    )


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
        return parsed.scheme in ("http", "https") and bool(parsed.host)
    except (httpx.InvalidURL, UnicodeError):  # the latter for ``xn--`` before what no name is
        return False
