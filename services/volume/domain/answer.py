"""What a volume plugin answers, read as dockerd reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_SCOPES = frozenset({"local", "global"})
#: Levels of a status; what is nested some 200 deep can be neither written nor read again.
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A volume as its driver has it."""

    name: str
    mountpoint: str = ""
    created_at_ns: int | None = None
    status: Mapping[str, Any] = field(default_factory=dict)


def field_of(answer: Any, key: str) -> Any:
    """Return a field of an answer, whatever the case of its key; None: it is not there."""
    if not isinstance(answer, dict):
        return None
    if key in answer:
        return answer[key]
    return next((value for k, value in answer.items() if k.lower() == key.lower()), None)


def text_of(answer: Any, key: str) -> str:
    """Return a field that is a text; empty: it is not there, or is none."""
    value = field_of(answer, key)
    return value if isinstance(value, str) else ""


def error(answer: Any) -> str:
    """Return what went wrong; empty: nothing did."""
    return text_of(answer, "Err")


def volume(value: Any) -> Found | None:
    """Read a volume; None for what is none."""
    name = text_of(value, "Name")
    if not name:
        return None
    status = field_of(value, "Status")
    return Found(
        name=name,
        mountpoint=text_of(value, "Mountpoint"),
        created_at_ns=_time_ns(text_of(value, "CreatedAt")),
        status=_carried(status) if isinstance(status, dict) else {},
    )


def volumes(answer: Any) -> tuple[Found, ...]:
    """Read a list of volumes."""
    listed = field_of(answer, "Volumes")
    found = map(volume, listed if isinstance(listed, list) else ())
    return tuple(one for one in found if one is not None)


def scope(answer: Any) -> str:
    """Read the scope out of Capabilities: what is none is `local`."""
    said = text_of(field_of(answer, "Capabilities"), "Scope").lower()
    return said if said in _SCOPES else "local"


def _carried(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message can carry of a status."""
    return {key: value for key, value in status.items() if not _is_deep(value, _DEEPEST)}


def _is_deep(value: Any, levels: int) -> bool:
    """Tell whether a value has more levels than so many."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deep(item, levels - 1) for item in value)


def _time_ns(text: str) -> int | None:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    # Go's zero time says nothing.
    return int(told.timestamp()) * 10**9 if told.year > 1 else None
