"""Which login of Docker's config.json is for a registry, and what a credential helper says."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_HUB: Final = "docker.io"
#: Where the docker CLI keeps the login to Docker Hub.
_HUB_KEY: Final = "https://index.docker.io/v1/"
_KEPT: Final = ("auth", "username", "password", "identitytoken", "registrytoken")
#: The user name with which helpers mark a secret that is no password.
_TOKEN: Final = "<token>"  # noqa: S105 - of Docker's helpers, and no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Docker's AuthConfig, empty for nobody; and what a person should know about it."""

    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = ""

    @property
    def header(self) -> str:
        """Return the value of X-Registry-Auth."""
        return base64.urlsafe_b64encode(json.dumps(dict(self.fields)).encode()).decode()


def server_of(domain: str) -> str:
    """Return what the docker CLI calls a registry, to itself and to helpers."""
    return _HUB_KEY if domain == _HUB else domain


def helper_of(config: Mapping[str, Any], domain: str) -> str:
    """Return the name of the helper that keeps the login for a registry; empty for none."""
    named = _mapping(config.get("credHelpers")).get(server_of(domain)) or config.get("credsStore")
    return named if isinstance(named, str) else ""


def find(config: Mapping[str, Any], domain: str) -> Login:
    """Return the login that the file itself has for a registry, nobody's where it has none."""
    wanted = _host(server_of(domain))
    for server, entry in _mapping(config.get("auths")).items():
        if _host(server) == wanted:
            given = _mapping(entry)
            kept = {key: str(given[key]) for key in _KEPT if given.get(key)}
            if kept:
                return Login(fields={**kept, "serveraddress": server})
    return Login()


def from_helper(answer: bytes, domain: str) -> Login:
    """Return the login that a helper answered with; raises ValueError for another answer."""
    told = json.loads(answer)
    user, secret = told["Username"], told["Secret"]
    if not isinstance(user, str) or not isinstance(secret, str):
        raise ValueError("Username and Secret must be texts")  # noqa: TRY004 - as json.loads
    kept = {"identitytoken": secret} if user == _TOKEN else {"username": user, "password": secret}
    return Login(fields={**kept, "serveraddress": server_of(domain)})


def _host(server: str) -> str:
    return server.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
