"""Which login of Docker's config.json is for a registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_HUB = "docker.io"
#: Where the docker CLI keeps the login to Docker Hub.
_HUB_KEY = "https://index.docker.io/v1/"
_KEPT = ("auth", "username", "password", "identitytoken", "registrytoken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Docker's AuthConfig, empty for nobody; and what a person should know about it."""

    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = ""

    @property
    def header(self) -> str:
        """Return the value of X-Registry-Auth."""
        return base64.urlsafe_b64encode(json.dumps(dict(self.fields)).encode()).decode()


def find(config: Mapping[str, Any], domain: str) -> Login:
    """Return the login for a registry, nobody's where the file has none."""
    wanted = _HUB_KEY if domain == _HUB else domain
    for server, entry in _mapping(config.get("auths")).items():
        if _host(server) == _host(wanted):
            given = _mapping(entry)
            kept = {key: str(given[key]) for key in _KEPT if given.get(key)}
            if kept:
                return Login(fields={**kept, "serveraddress": server})
    helper = _mapping(config.get("credHelpers")).get(wanted) or config.get("credsStore")
    if not helper:
        return Login()
    return Login(
        note=f"not logged in to {domain}: Docker keeps that login in the credential helper "
        f"{helper!r}, and wherry reads only `auths` of config.json; `docker -H` with Wherry's "
        "socket uses helpers"
    )


def _host(server: str) -> str:
    return server.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
