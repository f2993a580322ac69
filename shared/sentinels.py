"""Addresses that name Sentinels in place of a Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from shared import errdefs

_PORT: Final = 26379
#: By the scheme that names Sentinels: that of the Redis behind them.
_SCHEMES: Final = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}


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
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            return None
        login, at, places = parts.netloc.rpartition("@")
        master, _, database = parts.path.strip("/").partition("/")
        if not master or not places:
            raise errdefs.InvalidArgument(
                f"WHERRY_REDIS_URL: {parts.scheme}:// wants Sentinels and a master's name: "
                f"{parts.scheme}://host:26379,host:26379/master/0"
            )
        behind = parts._replace(
            scheme=_SCHEMES[parts.scheme],
            netloc=f"{login}{at}master",
            path=f"/{database or 0}",
        )
        return cls(
            places=tuple(_place(one) for one in places.split(",")),
            master=master,
            redis_url=urlunsplit(behind),
        )

    def at(self, host: str, port: int) -> str:
        """Return the address of the Redis that is there."""
        parts = urlsplit(self.redis_url)
        login, at, _ = parts.netloc.rpartition("@")
        place = f"[{host}]" if ":" in host else host
        return urlunsplit(parts._replace(netloc=f"{login}{at}{place}:{port}"))


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, _PORT
    if not port.isdecimal():
        raise errdefs.InvalidArgument(f"WHERRY_REDIS_URL: {text} is no host:port of a Sentinel")
    return host.strip("[]"), int(port)
