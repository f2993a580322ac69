"""What went wrong at a registry, as errors for a person: what, why and what to do next.

The one place where statuses and httpx's errors become errdefs. A detail ``status`` says that the
registry answered, and what; without it nothing was heard. No query, header or body of ours is
ever told: they may hold secrets.
"""

from __future__ import annotations

import json
from typing import Final

import httpx

from services.pull.adapters.registry.reasons import (
    causes,
    speaks_plain_http,
    wants_certificate,
)
from services.pull.adapters.registry.retry import is_unreached
from services.pull.adapters.registry.tokens import AccessRefused
from shared import errdefs

_LONGEST_MESSAGE: Final = 300
_REFUSED: Final = "repository does not exist or may require authorization"
_CLASSES: Final[dict[int, type[errdefs.Error]]] = {
    401: errdefs.Unauthenticated,
    403: errdefs.PermissionDenied,
    404: errdefs.NotFound,
    407: errdefs.Unavailable,
    408: errdefs.Unavailable,
    429: errdefs.ResourceExhausted,
}
_NEXT: Final = {
    403: "ask the registry's owner for access",
    404: "check the name and the tag",
    407: "put the proxy's user and password into HTTP_PROXY",
    429: "wait, or log in to be allowed more",
}
_BLOB_LOST: Final = "the registry has lost it: push the plugin again, or tell the registry's owner"


def of_status(status: int, body: bytes, *, what: str, host: str) -> errdefs.Error:
    """Return the error for an answer that is none; *what* was asked, ``HEAD manifest X``."""
    said = server_message(body)
    cls = _CLASSES.get(status)
    if cls is None:
        cls = errdefs.Unavailable if status >= 500 else errdefs.InvalidArgument
    next_step = _NEXT.get(status, "try again later" if status >= 500 else "")
    if status == 404 and what.startswith("blob "):
        next_step = _BLOB_LOST
    parts = [f"{what}: registry {host} answered {status_text(status)}", said, next_step]
    return cls(
        ": ".join(part for part in parts if part),
        detail={"registry": host, "status": status, "said": said},
    )


def of_transport(error: httpx.TransportError, *, what: str, host: str) -> errdefs.Error:
    """Return the error for a connection that could not be made, or broke."""
    detail = {"registry": host, "is_unreached": is_unreached(error)}
    said = str(error) or type(error).__name__
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes(error)):
        return errdefs.Unavailable(
            f"{what}: registry {host} is not trusted: {said}: put its CA into "
            f"/etc/docker/certs.d/{host}/ca.crt",
            detail=detail,
        )
    if isinstance(error, httpx.ProtocolError):
        return errdefs.Unavailable(
            f"{what}: registry {host} does not speak HTTP as it should: {said}", detail=detail
        )
    if isinstance(error, httpx.ReadTimeout):
        return errdefs.Unavailable(
            f"{what}: registry {host} is too slow: {said}: try again later", detail=detail
        )
    return errdefs.Unavailable(
        f"{what}: cannot reach registry {host}: {said}: {_next_step(error, host)}", detail=detail
    )


def _next_step(error: httpx.TransportError, host: str) -> str:
    if speaks_plain_http(error):
        return "if it is to be spoken to in the clear, name it in WHERRY_INSECURE_REGISTRIES"
    if wants_certificate(error):
        return (
            "it wants a client certificate that it knows: put one, X.cert with X.key, into "
            f"/etc/docker/certs.d/{host}"
        )
    return "check the name, the network and the proxy"


def access_denied(error: AccessRefused, *, verb: str, host: str) -> errdefs.Unauthenticated:
    """Return Docker's error for a repository that is not there, or not for us: it can't tell."""
    return errdefs.Unauthenticated(
        f"{verb} access denied, {_REFUSED}: {error}",
        detail={"registry": host, "status": 401},
        docker_unclassed=True,
    )


def login_refused(error: AccessRefused, *, url: str) -> errdefs.Unauthenticated:
    """Return Docker's error for a login that was tried out and refused."""
    if error.is_by_token_server:
        text = f'Get "{url}": unauthorized: {error}'
    else:
        text = f"login attempt to {url} failed with status: {status_text(error.status or 401)}"
    return errdefs.Unauthenticated(
        text,
        detail={"status": error.status or 401},
        docker_unclassed=not error.is_by_token_server,
    )


def server_message(body: bytes) -> str:
    """Return what a registry says in its error body, ``code: message``, cut to a line."""
    try:
        errors = json.loads(body)["errors"]
        first = errors[0]
        words = [str(first.get("code") or "").lower(), str(first.get("message") or "")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    line = " ".join(": ".join(word for word in words if word).split())
    return "".join(char for char in line if char.isprintable())[:_LONGEST_MESSAGE]


def status_text(status: int) -> str:
    """Return a status as Go writes it, ``401 Unauthorized``."""
    return f"{status} {httpx.codes.get_reason_phrase(status)}".strip()
