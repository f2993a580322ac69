"""The error classes that cross the bus, and their wire form.

A class exists where a caller acts differently on it; everything else is message and detail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Error(Exception):
    """Something failed, and a person is told what, why and what to do next.

    *docker_unclassed* marks an error that has no class in dockerd and so answers 500 there;
    Docker's own routes keep that status, /wherry/v1 answers by class.
    """

    code: ClassVar[str] = "unknown"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        detail: Mapping[str, Any] | None = None,
        docker_unclassed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, Any] = dict(detail or {})
        self.docker_unclassed = docker_unclassed

    def to_wire(self) -> dict[str, Any]:
        """Return the error as data: never a Python path, a pickle or a traceback.

        What no text encodes, as the stray bytes of a file's name, is written as escapes.
        """
        wire = {"code": self.code, **_encodable({"message": self.message, "detail": self.detail})}
        if self.docker_unclassed:
            wire["docker_unclassed"] = True
        return wire


class NotFound(Error):
    """What was named does not exist."""

    code = "not_found"


class InvalidArgument(Error):
    """The request can never succeed as it was made."""

    code = "invalid_argument"


class Conflict(Error):
    """The state of the thing forbids the request now."""

    code = "conflict"


class AlreadyExists(Error):
    """The name or id is taken."""

    code = "already_exists"


class PermissionDenied(Error):
    """The caller may not do this."""

    code = "permission_denied"


class Unauthenticated(Error):
    """The caller, or the credentials given, are not known."""

    code = "unauthenticated"


class ResourceExhausted(Error):
    """A limit, a disk or a quota is full."""

    code = "resource_exhausted"


class Unavailable(Error):
    """A part that is needed does not answer now; the same request may succeed later."""

    code = "unavailable"
    retryable = True


class DeadlineExceeded(Error):
    """The time given for the request ran out."""

    code = "deadline_exceeded"


class Unimplemented(Error):
    """What was asked is beyond this node."""

    code = "unimplemented"


class Internal(Error):
    """A fault of ours, or one whose cause is not the caller's to know."""

    code = "internal"


_BY_CODE: dict[str, type[Error]] = {
    cls.code: cls
    for cls in (
        NotFound,
        InvalidArgument,
        Conflict,
        AlreadyExists,
        PermissionDenied,
        Unauthenticated,
        ResourceExhausted,
        Unavailable,
        DeadlineExceeded,
        Unimplemented,
        Internal,
    )
}


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value


def from_wire(wire: Mapping[str, Any]) -> Error:
    """Rebuild an error from its wire form; an unknown code becomes a plain Error."""
    cls = _BY_CODE.get(str(wire.get("code")), Error)
    return cls(
        str(wire.get("message", "")),
        detail=wire.get("detail") or {},
        docker_unclassed=bool(wire.get("docker_unclassed", False)),
    )
