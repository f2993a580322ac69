"""What role a request needs, and who has sent it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.gateway.domain import api_version
from shared.access import Role

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Reads that are not for everybody who may look.
_READ_BY_ADMINS: Final = re.compile(r"/wherry/v1/audit(/.*)?", re.DOTALL)
#: Whoever operates starts, stops and uses what was installed, and gives nothing new a right.
_OPERATING: Final = tuple(
    (method, re.compile(path, re.DOTALL))
    for method, path in (
        ("POST", r"/plugins/.+/(enable|disable|push)"),
        ("POST", r"/volumes/(create|prune)"),
        ("DELETE", r"/volumes/.+"),
        ("POST", r"/auth"),
        ("POST", r"/wherry/v1/plugins/push"),
        ("POST", r"/wherry/v1/plugins/.+/references"),
        ("DELETE", r"/wherry/v1/plugins/.+/references/[^/]+/[^/]+"),
        ("PUT", r"/wherry/v1/plugins/.+/(resources|restart-policy|requires)"),
        ("DELETE", r"/wherry/v1/plugins/.+/(restart-policy|requires)"),
        ("POST", r"/wherry/v1/volumes/.+/mounts"),
        ("DELETE", r"/wherry/v1/volumes/.+/mounts/.+"),
        ("DELETE", r"/wherry/v1/jobs/[^/]+"),
        # What an upgrade may do was decided by who began it.
        ("POST", r"/wherry/v1/upgrades/[^/]+/(pause|resume|cancel|rollback)"),
        ("POST", r"/wherry/v1/content/collect"),
    )
)
#: Pages for browsers. What is done there is a request of its own to the API.
_CONSOLE: Final = re.compile(r"/ui(/.*)?", re.DOTALL)


class How(StrEnum):
    """How somebody was recognized."""

    #: By the kernel, at the other end of a unix socket.
    SOCKET = "socket"
    CERTIFICATE = "certificate"
    TOKEN = "token"  # noqa: S105 - a word, and no secret
    #: Not at all: an address where everybody is let in.
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sends requests over a connection, and what they may do."""

    how: How
    #: `uid 0`, the common name of a certificate, the name of a token, an address.
    name: str
    role: Role

    def __str__(self) -> str:
        return f"{self.how} {self.name}"


def is_console(path: str) -> bool:
    """Tell whether a path is of the console."""
    return _CONSOLE.fullmatch(path) is not None


def is_audited(method: str, path: str) -> bool:
    """Tell whether a request changes something, or reads what only admins see."""
    if is_console(path):
        return False
    return method not in _READING or required_role(method, path) is Role.ADMIN


def required_role(method: str, path: str) -> Role:
    """Return the role that a request needs; what nobody thought of needs the highest."""
    path = api_version.split(path)[1]
    if is_console(path):
        return Role.READ
    if method in _READING:
        return Role.ADMIN if _READ_BY_ADMINS.fullmatch(path) else Role.READ
    for operating_method, pattern in _OPERATING:
        if method == operating_method and pattern.fullmatch(path):
            return Role.OPERATE
    return Role.ADMIN
