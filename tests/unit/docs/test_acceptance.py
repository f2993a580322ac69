"""The acceptance cases that Docker's own tests make of plugins, each a test that bears its id.

An id is a letter for the suite and a number in it: A the manager, B settings, C routes, D drivers,
E authorization, F the CLI, G daemon and log drivers, H services of plugins, I legacy plugins. Cases
that need containers or networks are not asked for yet.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[2]
_NUMBERS = {
    "a": range(1, 14),
    "b": range(1, 15),
    "c": range(1, 20),
    "d": [1],
    "e": [*range(2, 6), *range(7, 10), *range(12, 19)],
    "f": [*range(1, 4), *range(5, 18)],
    "g": [*range(1, 11), 12],
    "h": [*range(1, 9), *range(10, 16)],
    "i": range(1, 14),
}
_CASES = [f"{suite}{number:02}" for suite, numbers in _NUMBERS.items() for number in numbers]


def _named() -> set[str]:
    text = "".join(path.read_text() for path in _TESTS.rglob("test_*.py"))
    prefixes = re.findall(r"def test_((?:[a-i]\d\d_)+)", text)
    return {case for prefix in prefixes for case in prefix.split("_") if case}


@pytest.mark.parametrize("case", _CASES)
def test_each_case_is_a_test(case: str) -> None:
    """A case has a test whose name begins with its id, alone or beside others."""
    assert case in _named()
