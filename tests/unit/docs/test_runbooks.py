from __future__ import annotations

import re
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
_PAGE = _REPOSITORY / "docs" / "runbooks.md"
#: What others say: Redis, the kernel, runc.
_OTHERS = {"Bad file format reading the append only file", "no space left", "runc run"}


def test_what_runbooks_quote_is_said() -> None:
    """Each message and each title of a panel that a runbook names stands somewhere in the code."""
    folders = [_REPOSITORY / "services", _REPOSITORY / "shared", _REPOSITORY / "deploy" / "grafana"]
    said = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    quoted = set(re.findall(r"(?<!\*)\*([^*\n]+)\*", _PAGE.read_text()))

    assert quoted
    assert {text for text in quoted - _OTHERS if text not in said} == set()
