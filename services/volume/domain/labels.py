"""Docker's label filters."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def has_all(labels: Mapping[str, str] | None, wanted: Collection[str]) -> bool:
    """Tell whether all *wanted*, `key` or `key=value`, are among the labels."""
    return all(_has(labels or {}, one) for one in wanted)


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
