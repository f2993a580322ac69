"""No finding of a linter is silenced without its reason, and nothing is installed unpinned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[3]
_PLACES = ("services", "shared", "deploy", "docs", "tests")
#: A whole comment begins so; words about one do not.
_SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)\b")
_REASONED = re.compile(
    r"#\s*(noqa: ?[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*|type: ignore\[[a-z-]+(,[a-z-]+)*\])\s+(-|#)\s*\S"
)
_IGNORED = re.compile(r'^\s*"[A-Z]+[0-9]*"')


def _silenced() -> Iterator[tuple[str, str]]:
    for place in _PLACES:
        for path in (_REPOSITORY / place).rglob("*.py"):
            if path == Path(__file__):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if _SILENCED.search(line):
                    yield f"{path.relative_to(_REPOSITORY)}:{number}", line


def test_each_comment_that_silences_has_a_code_and_a_reason() -> None:
    """`noqa` and `type: ignore` name what they silence, and say why."""
    found = dict(_silenced())

    assert found
    assert [place for place, line in found.items() if not _REASONED.search(line)] == []


def test_each_rule_that_is_switched_off_has_a_reason() -> None:
    """In pyproject.toml a comment stands beside each."""
    lines = (_REPOSITORY / "pyproject.toml").read_text().splitlines()
    ignored = [line for line in lines if _IGNORED.match(line) and "select" not in line]
    begin = lines.index("ignore = [")
    switched_off = [
        line
        for line in ignored
        if lines.index(line) > begin and not line.lstrip().startswith('"N", ')
    ]

    assert switched_off
    assert [line for line in switched_off if "#" not in line] == []


@pytest.mark.parametrize("name", ["runtime", "dev", "build", "sbom"])
def test_each_package_is_pinned_with_its_hashes(name: str) -> None:
    """What is installed is what was locked, byte by byte, wherever it is fetched from."""
    locked = (_REPOSITORY / "requirements" / f"{name}.txt").read_text()
    lines = locked.replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line and not line.lstrip().startswith("#")]

    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in re.sub(r"#.*", "", locked)
