"""JSON bodies of requests, checked and refused as dockerd does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.domain.volume_options import CreateOptions
from shared import errdefs
from shared.oci import go_json
from shared.oci.go_struct import GoTypeError
from shared.oci.privileges import PluginPrivilege

if TYPE_CHECKING:
    from services.gateway.domain.service_options import NodeOptions, ServiceOptions

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LEADING_WORD = re.compile(rf"({_WORD})?(.*)", re.DOTALL)
_PARAMETERS = re.compile(
    rf'(?:\s*;\s*{_WORD}\s*=\s*(?:{_WORD}|"(?:[^"\\]|\\.)*"))*\s*;?\s*', re.DOTALL
)


def strings(body: bytes, *, content_type: str, has_length: bool) -> tuple[str, ...]:
    """Read a list of strings; a body of length 0 (*has_length*: it was announced) is an empty one.

    Raises InvalidArgument in dockerd's words.
    """
    return _strings(_read(body, content_type, has_length=has_length))


def privileges(body: bytes, *, content_type: str, has_length: bool) -> tuple[PluginPrivilege, ...]:
    """Read what a client grants; no body, or null, grants nothing.

    Nor does an empty object, which dockerd refuses: docker-py sends it for a plugin that needs
    nothing. Raises InvalidArgument in dockerd's words.
    """
    value = _read(body, content_type, has_length=has_length)
    if value == {}:
        return ()
    if not isinstance(value, list | None):
        raise _mismatch(value, "types.PluginPrivileges")
    try:
        return tuple(PluginPrivilege.from_go(item) for item in value or ())
    except GoTypeError as error:
        raise errdefs.InvalidArgument(f"invalid JSON: {error}") from error


def volume(body: bytes, *, content_type: str, has_length: bool) -> CreateOptions:
    """Read what POST /volumes/create wishes; no body wishes an anonymous volume.

    Raises InvalidArgument in dockerd's words.
    """
    value = _read(body, content_type, has_length=has_length)
    try:
        return CreateOptions.from_go(value)
    except GoTypeError as error:
        raise errdefs.InvalidArgument(f"invalid JSON: {error}") from error


def service(body: bytes, *, content_type: str, has_length: bool) -> ServiceOptions:
    """Read what is wished of a service; raises InvalidArgument in dockerd's words."""
    # Imported when it is needed: few nodes are of a swarm, and it is a lot of models.
    from services.gateway.domain.service_options import ServiceOptions

    value = _read(body, content_type, has_length=has_length)
    try:
        return ServiceOptions.from_go(value)
    except GoTypeError as error:
        raise errdefs.InvalidArgument(f"invalid JSON: {error}") from error


def node(body: bytes, *, content_type: str, has_length: bool) -> NodeOptions:
    """Read what is wished of a node; raises InvalidArgument in dockerd's words."""
    from services.gateway.domain.service_options import NodeOptions

    value = _read(body, content_type, has_length=has_length)
    try:
        return NodeOptions.from_go(value)
    except GoTypeError as error:
        raise errdefs.InvalidArgument(f"invalid JSON: {error}") from error


def _read(body: bytes, content_type: str, *, has_length: bool) -> Any:
    """Return the value in a body; None where the body was announced to be empty."""
    is_announced_empty = has_length and not body
    if content_type or not is_announced_empty:
        _check_type(content_type)
    return None if is_announced_empty else _decode(body)


def _check_type(content_type: str) -> None:
    if problem := _malformed(content_type):
        raise errdefs.InvalidArgument(
            f"malformed Content-Type header ({content_type}): mime: {problem}"
        )
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise errdefs.InvalidArgument(
            f"unsupported Content-Type header ({content_type}): must be 'application/json'"
        )


def _malformed(content_type: str) -> str:
    """Return what Go's mime.ParseMediaType finds wrong, empty if nothing."""
    head, _, _ = content_type.partition(";")
    kind, rest = _token(head.strip())
    if not kind:
        return "no media type"
    if rest and not rest.startswith("/"):
        return "expected slash after first token"
    subtype, beyond = _token(rest[1:])
    if rest and not subtype:
        return "expected token after slash"
    if beyond:
        return "unexpected content after media subtype"
    return "" if _PARAMETERS.fullmatch(content_type[len(head) :]) else "invalid media parameter"


def _token(text: str) -> tuple[str, str]:
    """Split a token off the front of *text*."""
    found = _LEADING_WORD.fullmatch(text)
    return (found[1] or "", found[2]) if found else ("", text)


def _decode(body: bytes) -> Any:
    try:
        return go_json.decode(body, stream=True)
    except go_json.TrailingContent as error:
        raise errdefs.InvalidArgument("unexpected content after JSON") from error
    except go_json.GoJSONError as error:
        text = "got EOF while reading request body" if str(error) == "EOF" else str(error)
        raise errdefs.InvalidArgument(f"invalid JSON: {text}") from error


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _mismatch(value, "[]string")
    for item in value:
        if not isinstance(item, str | None):
            raise _mismatch(item, "string")
    return tuple(item or "" for item in value)


def _mismatch(value: Any, go_type: str) -> errdefs.InvalidArgument:
    kinds = {str: "string", bool: "bool", list: "array", dict: "object"}
    kind = kinds.get(type(value), "number")
    return errdefs.InvalidArgument(
        f"invalid JSON: json: cannot unmarshal {kind} into Go value of type {go_type}"
    )
