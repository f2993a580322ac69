"""Limits that an operator changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.pull.adapters import limits
from services.pull.adapters.limits import Limits
from shared import errdefs

_PAGE = Path(__file__).parents[5] / "docs/reference/configuration.md"


def test_what_is_not_named_stays_as_it_is() -> None:
    """Each limit is changed for itself."""
    usual = Limits.of({})
    changed = Limits.of({"stall_s": "7.5", "attempts": "2", "unpacked_bytes": "1000"})

    assert (changed.registry.stall_s, changed.registry.attempts) == (7.5, 2)
    assert changed.registry.manifest_bytes == usual.registry.manifest_bytes
    assert (changed.unpacked.size, changed.unpacked.entries) == (1000, usual.unpacked.entries)
    assert usual.unpacked.size == 16 << 30


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("stalls", "1", "there is no limit 'stalls'; there are dial_s, "),
        ("stall_s", "soon", "stall_s=soon: must be a number of seconds"),
        ("stall_s", "0", "must be a number of seconds, at least 0.001"),
        ("stall_s", "nan", "must be a number of seconds"),
        ("stall_s", "inf", "must be a number of seconds"),
        ("attempts", "0", "must be a whole number, at least 1"),
        ("attempts", "1.5", "must be a whole number"),
        ("redirects", "-1", "must be a whole number, at least 0"),
        ("unpacked_bytes", "1e9", "unpacked_bytes=1e9: must be a whole number"),
    ],
)
def test_what_can_not_be_is_refused(name: str, text: str, message: str) -> None:
    """A name that there is not, and a number that would stop everything, are named."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        Limits.of({name: text})


def test_none_is_fine_where_that_means_something() -> None:
    """Redirects can be forbidden."""
    assert Limits.of({"redirects": "0"}).registry.redirects == 0


@pytest.mark.parametrize("name", limits.names())
def test_each_limit_is_described(name: str) -> None:
    """The page of settings has a line for it, with its default."""
    usual = Limits.of({})
    default = {
        "unpacked_bytes": usual.unpacked.size,
        "unpacked_entries": usual.unpacked.entries,
    }.get(name) or getattr(usual.registry, name)
    line = next(one for one in _PAGE.read_text().splitlines() if one.startswith(f"| `{name}` |"))

    shown = line.split("|")[-2].split("(")[0].strip()
    assert float(shown) == default
