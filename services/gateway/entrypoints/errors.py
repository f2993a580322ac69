"""Errors as HTTP: the one table."""

from __future__ import annotations

from typing import Final

from services.gateway.domain import api_version, docker_json
from services.gateway.entrypoints.http import JSON, TEXT, Headers, Response
from shared import errdefs

_TOO_MANY: Final = 429
_DOCKER: Final = {
    "not_found": 404,
    "invalid_argument": 400,
    "conflict": 409,
    "already_exists": 409,
    "unauthenticated": 401,
    "permission_denied": 403,
    "unavailable": 503,
    "unimplemented": 501,
}
#: What dockerd answers 500, and our own API can say.
_WHERRY: Final = _DOCKER | {"resource_exhausted": _TOO_MANY, "deadline_exceeded": 504}

#: An error that nobody foresaw: nothing of it is told.
FAULT: Final = errdefs.Internal("the gateway failed on this request; its log says why")


def docker_status(error: errdefs.Error) -> int:
    """Return the status that dockerd answers an error with; of too much, which it has not, 429."""
    if isinstance(error, errdefs.ResourceExhausted) and retry_after(error):
        return _TOO_MANY
    return 500 if error.docker_unclassed else _DOCKER.get(error.code, 500)


def wherry_status(error: errdefs.Error) -> int:
    """Return the status of an error by its class, as /wherry/v1 answers."""
    return _WHERRY.get(error.code, 500)


def retry_after(error: errdefs.Error) -> Headers:
    """Return the header that says when to come again, where the error says so."""
    wait_s = error.detail.get("retry_after_s")
    return () if wait_s is None else ((b"retry-after", str(wait_s).encode()),)


def docker_refusal(error: errdefs.Error, version: str) -> Response:
    """Return an error as Docker's clients of that API version expect it."""
    status = docker_status(error)
    if api_version.has_plain_errors(version):
        body = error.message.encode("utf-8", "replace") + b"\n"
        headers = ((b"x-content-type-options", b"nosniff"), *retry_after(error))
        return Response(status=status, body=body, content_type=TEXT, headers=headers)
    body = docker_json.encode({"message": error.message})
    return Response(status=status, body=body, content_type=JSON, headers=retry_after(error))


def wherry_refusal(error: errdefs.Error) -> Response:
    """Return an error as /wherry/v1 tells it."""
    body = docker_json.encode(
        {"code": error.code, "message": error.message, "detail": error.detail}
    )
    status = wherry_status(error)
    return Response(status=status, body=body, content_type=JSON, headers=retry_after(error))
