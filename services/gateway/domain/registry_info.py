"""What Docker's info says of registries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_INDEX_SERVER: Final = "https://index.docker.io/v1/"
_HUB: Final = "docker.io"
#: A registry on this machine needs no TLS.
_LOOPBACK: Final = ("::1/128", "127.0.0.0/8")
_LOGIN: Final = re.compile(r"^(\w+://)?[^/]*@")


def registries(*, mirrors: Sequence[str], insecure: Sequence[str]) -> dict[str, Any]:
    """Return the keys of info that are about registries; *insecure* has hosts and networks."""
    hosts = [word for word in insecure if "/" not in word]
    config = {
        "InsecureRegistryCIDRs": [*_LOOPBACK, *(word for word in insecure if "/" in word)],
        "IndexConfigs": {
            _HUB: _index(_HUB, mirrors, is_secure=True),
            **{host: _index(host, (), is_secure=False) for host in hosts},
        },
        "Mirrors": list(mirrors),
    }
    return {
        "IndexServerAddress": _INDEX_SERVER,
        "RegistryConfig": config,
    }


def proxies(env: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of info that are about proxies; logins are masked as dockerd masks them."""

    def named(variable: str) -> str:
        return env.get(variable) or env.get(variable.lower()) or ""

    return {
        "HttpProxy": _masked(named("HTTP_PROXY")),
        "HttpsProxy": _masked(named("HTTPS_PROXY")),
        "NoProxy": named("NO_PROXY"),
    }


def _masked(address: str) -> str:
    return _LOGIN.sub(lambda login: f"{login[1] or ''}xxxxx:xxxxx@", address)


def _index(name: str, mirrors: Sequence[str], *, is_secure: bool) -> dict[str, Any]:
    return {
        "Name": name,
        "Mirrors": list(mirrors),
        "Secure": is_secure,
        "Official": name == _HUB,
    }
