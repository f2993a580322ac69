"""Errors as HTTP: the one table."""

from __future__ import annotations

from typing import Final

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
