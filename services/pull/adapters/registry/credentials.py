"""Who we are to one registry: secrets that show themselves to nobody else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared import errdefs

DOCKER_HUB: Final = "docker.io"
#: All of them are Docker Hub; the CLI stores its login under https://index.docker.io/v1/.
_HUB_NAMES: Final = frozenset(
    {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)
#: Makes fingerprints useless outside of this process.
_KEY: Final = secrets.token_bytes(32)


def canonical_host(server: str) -> str:
    """Return the one form of a registry's address: lower case, no scheme, path or ``:443``.

    >>> canonical_host("https://index.docker.io/v1/")
    'docker.io'
    """
    host = server.strip().lower()
    host = host.removeprefix("https://").removeprefix("http://")
    host = host.partition("/")[0].removesuffix(":443")
    return DOCKER_HUB if host in _HUB_NAMES else host


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A login, bound to the host it was given for; repr and str show no secret.

    An identity token (OAuth refresh token) wins over user and password, a registry token
    (a bearer token made elsewhere) over both.
    """

    #: In canonical form; empty means the registry that is asked first, see ``bound_to``.
    server: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "server", canonical_host(self.server))

    @classmethod
    def from_auth_config(cls, config: Mapping[str, object]) -> Credentials | None:
        """Read Docker's AuthConfig (what X-Registry-Auth holds); None is anonymous.

        ``auth`` is base64 of ``user:password`` and counts where the two are not given apart.
        Raises InvalidArgument for a registry token that no header can hold.
        """
        values = {key: value for key, value in config.items() if isinstance(value, str)}
        username, password = values.get("username", ""), values.get("password", "")
        if not username and not password:
            username, password = _split_auth(values.get("auth", ""))
        found = cls(
            server=values.get("serveraddress", ""),
            username=username,
            password=password,
            identity_token=values.get("identitytoken", ""),
            registry_token=values.get("registrytoken", ""),
        )
        if not found.registry_token.isascii() or not found.registry_token.isprintable():
            raise errdefs.InvalidArgument(
                "the login's registry token holds characters that no token has: get a new one"
            )
        return None if found.is_empty else found

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to log in with."""
        return not (self.identity_token or self.registry_token or self.has_password)

    @property
    def has_password(self) -> bool:
        """Say whether both a user and a password are there, as Basic needs."""
        return bool(self.username and self.password)

    @property
    def basic(self) -> str:
        """Return the value of an Authorization header for user and password."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    @property
    def fingerprint(self) -> bytes:
        """Return what tells logins apart without telling what they are."""
        parts = (
            self.server,
            self.username,
            self.password,
            self.identity_token,
            self.registry_token,
        )
        return hashlib.blake2b("\0".join(parts).encode(), key=_KEY, digest_size=16).digest()

    def bound_to(self, host: str) -> Credentials:
        """Return the login bound to *host*, unless it says itself where it belongs."""
        return self if self.server else replace(self, server=host)

    def is_for(self, host: str) -> bool:
        """Say whether *host* may see them."""
        return bool(self.server) and self.server == canonical_host(host)


def _split_auth(auth: str) -> tuple[str, str]:
    try:
        username, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):  # Docker takes what it can't read for anonymous
        return "", ""
    return username, password.strip("\0")
