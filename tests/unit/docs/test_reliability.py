"""The page of promises names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PAGE = (_ROOT / "docs" / "reliability.md").read_text()
_NAMED = re.findall(r"`(tests/\S+\.py)::(\w+)`", _PAGE)


@pytest.mark.parametrize(("path", "name"), _NAMED, ids=[name for _, name in _NAMED])
def test_each_named_test_exists(path: str, name: str) -> None:
    """A test that holds a promise is there under the name that the page has."""
    assert re.search(rf"^(async )?def {name}\(", (_ROOT / path).read_text(), re.MULTILINE)


def test_each_promise_names_a_test() -> None:
    """No promise is written that no test holds."""
    promises = re.split(r"^## \d", _PAGE, flags=re.MULTILINE)[1:]
    assert promises
    for promise in promises:
        assert "::test_" in promise, promise.splitlines()[0]
