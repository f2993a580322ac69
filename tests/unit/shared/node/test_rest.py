"""When a process comes to rest, and what it does then."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from shared.node.rest import Rest, give_back


def _looks(used_s: Iterable[float]) -> list[bool]:
    """Return what each look says, where the process has used so much CPU at each."""
    readings = list(used_s)
    given = iter(readings)
    rest = Rest(used_s=lambda: next(given))
    return [rest.has_begun() for _ in readings]


@pytest.mark.parametrize(
    ("used_s", "expected"),
    [
        ([0.01, 0.02, 0.03], [False, False, False]),
        ([1.0, 2.0, 2.01, 2.02], [False, False, True, False]),
        ([1.0, 1.0, 2.0, 2.0], [False, True, False, True]),
    ],
    ids=["never busy", "busy once", "busy twice"],
)
def test_rest_begins_once_after_each_busy_time(used_s: list[float], expected: list[bool]) -> None:
    """A process that goes on resting, or being busy, is not told again."""
    assert _looks(used_s) == expected


def test_what_is_in_use_stays() -> None:
    """Giving memory back touches nothing that is held."""
    held = [bytes([number]) * 1000 for number in range(256)]

    give_back()

    assert all(set(one) == {number} for number, one in enumerate(held))
