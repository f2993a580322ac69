"""Lets requests in: who sends them, whether they may, and not too many."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.gateway import ports
from services.gateway.domain.access import How, Identity, required_role
from services.gateway.domain.rate import RateLimit
from shared import errdefs
from shared.access import Role

_HOW_TO_SHOW: Final = (
    "send `Authorization: Bearer <token>` (the docker CLI: HttpHeaders in ~/.docker/config.json); "
    "`wherry token create NAME --role ROLE` on the node makes one"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a connection tells of who is at its other end."""

    #: Of the process at the other end of a unix socket.
    uid: int | None = None
    #: The common name of a verified certificate; None where none was shown.
    certificate: str | None = None
    #: Of a client over TCP.
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Recognizes clients, and refuses those that may not or that send too much.

    *requests* counts over TCP and of tokens; a process of the host that root let at the socket
    is not held up.
    """

    tokens: ports.Tokens
    clock: Callable[[], float]
    requests: RateLimit | None = None
    #: Tokens that were shown and are none: guessing is slow.
    guesses: RateLimit = field(default_factory=lambda: RateLimit(per_second=0.2, burst=10))

    def identify(self, connection: Connection, authorization: str) -> Identity:
        """Return who has sent a request with this header; raises Unauthenticated."""
        shown = _shown(authorization)
        if shown is not None and self.tokens.are_asked_for:
            return self._by_token(connection, shown)
        if connection.uid is not None:
            return Identity(how=How.SOCKET, name=f"uid {connection.uid}", role=Role.ADMIN)
        if connection.certificate is not None:
            return Identity(how=How.CERTIFICATE, name=connection.certificate, role=Role.ADMIN)
        if self.tokens.are_asked_for:
            raise errdefs.Unauthenticated(f"this node asks for a token over TCP: {_HOW_TO_SHOW}")
        return Identity(how=How.ADDRESS, name=connection.address, role=Role.ADMIN)

    def allow(self, identity: Identity, method: str, path: str) -> None:
        """Raise PermissionDenied unless somebody's role is enough for a request."""
        needed = required_role(method, path)
        if identity.role < needed:
            raise errdefs.PermissionDenied(
                f"{identity} has the role {identity.role}, and {method} {path} needs {needed}: use "
                f"a token of that role (`wherry token create NAME --role {needed}` makes one)",
                detail={"role": str(identity.role), "needed": str(needed)},
            )

    def count(self, identity: Identity) -> None:
        """Raise ResourceExhausted, with `retry_after_s`, for one request too many."""
        if self.requests is None or identity.how is How.SOCKET:
            return
        wait_s = self.requests.take(str(identity), self.clock())
        if wait_s:
            raise errdefs.ResourceExhausted(
                f"{identity} sends more than {self.requests.per_second:g} requests a second: try "
                f"again in {wait_s} s, or have WHERRY_RATE_LIMIT raised on the node",
                detail={"retry_after_s": wait_s},
            )

    def _by_token(self, connection: Connection, shown: str) -> Identity:
        guesser = connection.address or "socket"
        wait_s = self.guesses.wait_s(guesser, self.clock())
        if wait_s:
            raise errdefs.ResourceExhausted(
                f"too many wrong tokens came from {guesser}: try again in {wait_s} s",
                detail={"retry_after_s": wait_s},
            )
        token = self.tokens.find(shown)
        if token is None:
            self.guesses.take(guesser, self.clock())
            log.warning("wrong token", client=guesser)
            raise errdefs.Unauthenticated(
                "the token that was sent is not one of this node, or was removed: "
                f"`wherry token ls` shows those that count; {_HOW_TO_SHOW}"
            )
        return Identity(how=How.TOKEN, name=token.name, role=token.role)


def _shown(authorization: str) -> str | None:
    """Return the token in a header; in the place of a password, whatever the name is, it counts."""
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[2]
            except ValueError:  # no base64, not ASCII, no UTF-8
                return ""
        case _:
            return None
