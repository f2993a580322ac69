"""What authorization plugins are told of a request and of its answer, in Docker's keys."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

#: Key of the extension of a request that holds the uid of who connected to the unix socket.
PEER_UID: Final = "wherry.peer_uid"
#: And the one that holds its pid.
PEER_PID: Final = "wherry.peer_pid"
#: Bytes of a body that plugins are shown; one that is longer is none of theirs to judge.
BODY_LIMIT: Final = 1 << 20
#: Never shown: what they hold is the client's own, and the registries'.
_HIDDEN: Final = frozenset({"authorization", "x-registry-auth", "x-registry-config"})
_SECRETS: Final = "/wherry/v1/secrets"
_AUTH_ENDPOINT: Final = re.compile(r"[^/]*/(v\d[\d.]*/)?auth.*", re.DOTALL)

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request, as far as its connection tells."""

    #: The common name of a verified client certificate.
    user: str = ""
    #: PEM.
    certificates: tuple[str, ...] = ()
    #: How it was recognized, where that was not by a certificate.
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and later its answer too, put to authorization plugins."""

    caller: Caller
    method: str
    uri: str
    headers: dict[str, str]
    body: bytes = b""
    status: int = 0
    answer_headers: dict[str, str] | None = None
    answer_body: bytes = b""

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> Question:
        """Return the question about the answer."""
        return replace(self, status=status, answer_headers=headers, answer_body=body)

    def to_json(self) -> dict[str, Any]:
        """Return the arguments of AuthZReq or AuthZRes; what is empty is left out."""
        peers = self.caller.certificates
        fields = {
            "User": self.caller.user,
            "UserAuthNMethod": "TLS" if peers else self.caller.method,
            "RequestMethod": self.method,
            "RequestUri": self.uri,
            "RequestBody": _base64(self.body),
            "RequestHeaders": self.headers,
            "RequestPeerCertificates": [_base64(pem.encode()) for pem in peers],
            "ResponseStatusCode": self.status,
            "ResponseBody": _base64(self.answer_body),
            "ResponseHeaders": self.answer_headers,
        }
        return {key: value for key, value in fields.items() if value}


def shown_headers(headers: RawHeaders) -> dict[str, str]:
    """Return headers as Go names them, without credentials; of several the last one."""
    shown = {key.decode("latin-1"): value.decode("latin-1") for key, value in headers}
    return {_canonical(key): value for key, value in shown.items() if key not in _HIDDEN}


def shows_body(path: str, content_type: str | None, *, is_extension: bool) -> bool:
    """Tell whether a body is shown: JSON, but never that of a login or of a secret.

    Our own API also reads JSON that is not called so, and what it reads is shown.
    """
    if _AUTH_ENDPOINT.fullmatch(path) or path == _SECRETS:
        return False
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return True
    return is_extension and (not media_type or media_type.endswith("+json"))


def _canonical(key: str) -> str:
    return "-".join(word[:1].upper() + word[1:].lower() for word in key.split("-"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
