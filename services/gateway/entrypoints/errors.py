"""Errors as HTTP: the one table."""

from __future__ import annotations

from typing import Final

from services.gateway.domain import api_version, docker_json
from services.gateway.entrypoints.http import JSON, TEXT, Response
from shared import errdefs

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
_WHERRY: Final = _DOCKER | {"resource_exhausted": 429, "deadline_exceeded": 504}


def docker_status(error: errdefs.Error) -> int:
    """Return the status that dockerd answers an error with."""
    return 500 if error.docker_unclassed else _DOCKER.get(error.code, 500)


def wherry_status(error: errdefs.Error) -> int:
    """Return the status of an error by its class, as /wherry/v1 answers."""
    return _WHERRY.get(error.code, 500)


def docker_refusal(error: errdefs.Error, version: str) -> Response:
    """Return an error as Docker's clients of that API version expect it."""
    status = docker_status(error)
    if api_version.has_plain_errors(version):
        body = error.message.encode("utf-8", "replace") + b"\n"
        nosniff = ((b"x-content-type-options", b"nosniff"),)
        return Response(status=status, body=body, content_type=TEXT, headers=nosniff)
    body = docker_json.encode({"message": error.message})
    return Response(status=status, body=body, content_type=JSON)


def wherry_refusal(error: errdefs.Error) -> Response:
    """Return an error as /wherry/v1 tells it."""
    body = docker_json.encode(
        {"code": error.code, "message": error.message, "detail": error.detail}
    )
    return Response(status=wherry_status(error), body=body, content_type=JSON)
