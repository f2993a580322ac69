"""The threat model names a test for each of its lines, and each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
_PAGE = _REPOSITORY / "docs" / "security.md"
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_ROW = re.compile(r"^\| (?!---)(?!what )(.*) \|$", re.MULTILINE)


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_test_that_the_threat_model_names_is_there() -> None:
    """A test that is renamed or deleted leaves no line of the page without one."""
    named = _NAMED.findall(_PAGE.read_text())

    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (_REPOSITORY / path).exists() or name not in _tests_of(_REPOSITORY / path)
    ]

    assert len(named) > 40
    assert missing == []


def test_each_line_of_the_threat_model_has_a_test() -> None:
    """No row of a table is only words."""
    rows = _ROW.findall(_PAGE.read_text())

    assert len(rows) > 30
    assert [row for row in rows if not _NAMED.search(row)] == []
