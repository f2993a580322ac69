"""Docker's filters: a JSON map of maps, or in the older form of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared import errdefs
from shared.oci import go_json

#: The values asked for, by key.
Terms = Mapping[str, tuple[str, ...]]

_FALSE = frozenset({"0", "false"})
_TRUE = frozenset({"1", "true"})


def parse(raw: str) -> Terms:
    """Read the `filters` parameter; raises InvalidArgument in dockerd's words."""
    if not raw:
        return {}
    try:
        value = go_json.decode(raw.encode())
    except go_json.GoJSONError as error:
        raise errdefs.InvalidArgument("invalid filter") from error
    if not isinstance(value, dict | None):
        raise errdefs.InvalidArgument("invalid filter")
    return _terms(value or {})


def check_keys(terms: Terms, known: Sequence[str]) -> None:
    """Raise InvalidArgument for the first key that is not *known*."""
    for key in terms:
        if key not in known:
            raise errdefs.InvalidArgument(f"invalid filter '{key}'")


def to_bool(terms: Terms, key: str) -> bool | None:
    """Read a filter that is true or false; None when absent, InvalidArgument when neither."""
    if key not in terms:
        return None
    values = terms[key]
    if not values:
        raise errdefs.InvalidArgument(f"invalid filter '{key}'")
    is_false, is_true = not _FALSE.isdisjoint(values), not _TRUE.isdisjoint(values)
    if is_false == is_true:
        raise errdefs.InvalidArgument(f"invalid filter '{key}=[{' '.join(sorted(values))}]'")
    return is_true


def _terms(value: dict[str, Any]) -> Terms:
    if all(isinstance(item, dict | None) for item in value.values()):
        return {key: _of_map(item or {}) for key, item in value.items()}
    if all(isinstance(item, list | None) for item in value.values()):
        return {key: _of_list(item or []) for key, item in value.items()}
    raise errdefs.InvalidArgument("invalid filter")


def _of_map(item: dict[str, Any]) -> tuple[str, ...]:
    if not all(isinstance(wanted, bool | None) for wanted in item.values()):
        raise errdefs.InvalidArgument("invalid filter")
    return tuple(name for name, wanted in item.items() if wanted)


def _of_list(item: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(name, str | None) for name in item):
        raise errdefs.InvalidArgument("invalid filter")
    return tuple(name or "" for name in item)
