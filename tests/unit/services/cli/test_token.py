"""`wherry token`, on a folder of the test's."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import wherry


def _run(folder: Path, *args: str) -> Result:
    env = {"WHERRY_ROOT": str(folder), "WHERRY_TOKENS": ""}
    return CliRunner().invoke(wherry, ["token", *args], env=env)


def test_a_token_is_shown_once(tmp_path: Path) -> None:
    """What create prints is in no file and no list; its name and role are."""
    secret = _run(tmp_path, "create", "ci", "--role", "operate").output.strip()

    listed = _run(tmp_path, "ls").output

    assert secret.startswith("wherry_")
    assert "ci    operate" in listed
    assert secret not in listed
    assert not any(secret in path.read_text() for path in tmp_path.iterdir())


def test_a_token_is_removed(tmp_path: Path) -> None:
    """What was removed is listed no more, and can't be removed twice."""
    _run(tmp_path, "create", "ci")
    assert _run(tmp_path, "rm", "ci").exit_code == 0

    again = _run(tmp_path, "rm", "ci")

    assert "ci" not in _run(tmp_path, "ls").output
    assert again.exit_code == 1
    assert "there is no token ci" in again.output


@pytest.mark.parametrize("name", ["../x", "a b", ""], ids=["path", "space", "empty"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    """The complaint says what a name is, and nothing is written."""
    result = _run(tmp_path, "create", name)

    assert result.exit_code == 1
    assert "a name is a letter or digit" in result.output
    assert list(tmp_path.iterdir()) == []
