"""Addresses that name Sentinels in place of a Redis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from shared import errdefs

_PORT: Final = 26379
#: By the scheme that names Sentinels: that of the Redis behind them.
_SCHEMES: Final = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
#: Scheme, authority and the rest, as RFC 3986 has it in its appendix B.
_PARTS: Final = re.compile(r"([^:/?#]*)://([^/?#]*)(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinels:
    """`redis+sentinel://user:password@host:port,host:port/master/database`, taken apart."""

    places: tuple[tuple[str, int], ...]
    master: str
    #: Address of a Redis whose host is left open.
    redis_url: str

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """Read an address; None when it names no Sentinels. Raises InvalidArgument."""
        scheme, authority, rest = split_address(url)
        if scheme not in _SCHEMES:
            return None
        login, at, places = authority.rpartition("@")
        path, asks, query = rest.partition("?")
        master, _, database = path.strip("/").partition("/")
        if not master or not places:
            raise errdefs.InvalidArgument(
                f"WHERRY_REDIS_URL: {scheme}:// wants Sentinels and a master's name: "
                f"{scheme}://host:26379,host:26379/master/0"
            )
        return cls(
            places=tuple(_place(one) for one in places.split(",")),
            master=master,
            redis_url=f"{_SCHEMES[scheme]}://{login}{at}master/{database or 0}{asks}{query}",
        )

    def at(self, host: str, port: int) -> str:
        """Return the address of the Redis that is there."""
        parts = urlsplit(self.redis_url)
        login, at, _ = parts.netloc.rpartition("@")
        place = f"[{host}]" if ":" in host else host
        return urlunsplit(parts._replace(netloc=f"{login}{at}{place}:{port}"))


def split_address(url: str) -> tuple[str, str, str]:
    """Return an address's scheme, its authority, and what follows; a scheme that is none is empty.

    Newer versions of urlsplit refuse several hosts of which one is an IPv6 address.
    """
    found = _PARTS.fullmatch(url)
    return (found[1], found[2], found[3]) if found else ("", "", url)


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, _PORT
    if not port.isdecimal():
        raise errdefs.InvalidArgument(f"WHERRY_REDIS_URL: {text} is no host:port of a Sentinel")
    return host.strip("[]"), int(port)
