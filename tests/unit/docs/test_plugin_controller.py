"""The page that maps Docker's plugin controller: whole, and true of messages and tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate

_REPOSITORY = Path(__file__).parents[3]
_PAGE = _REPOSITORY / "docs" / "reference" / "plugin-controller.md"
_FOLDERS = {"U/": "tests/unit/services/controller/", "C/": "tests/conformance/"}
#: Exported members of Docker's package daemon/cluster/controllers/plugin.
_MEMBERS = (
    "NewController",
    "Controller.Update",
    "Controller.Prepare",
    "Controller.Start",
    "Controller.Wait",
    "Controller.Shutdown",
    "Controller.Terminate",
    "Controller.Remove",
    "Controller.Close",
    "Backend.Disable",
    "Backend.Enable",
    "Backend.Remove",
    "Backend.Pull",
    "Backend.Upgrade",
    "Backend.Get",
    "Backend.SubscribeEvents",
)
_ROW = re.compile(r"^\| `([\w.]+)` \| (.+) \| `([^`|]+)` \|$", re.MULTILINE)


def _rows() -> dict[str, tuple[str, str]]:
    return {member: (here, test) for member, here, test in _ROW.findall(_PAGE.read_text())}


def test_every_member_has_a_row() -> None:
    """Nothing that Docker's package offers is left out, and nothing is made up."""
    assert sorted(_rows()) == sorted(_MEMBERS)


def test_messages_are_there() -> None:
    """A row names messages that the contracts have."""
    said = {name for here, _ in _rows().values() for name in re.findall(r"`([\w.-]+\.v\d)`", here)}
    known = set(re.findall(r"^### `(.+)`$", generate.page(), re.MULTILINE))
    assert said
    assert said <= known


@pytest.mark.parametrize("member", _MEMBERS)
def test_a_row_s_test_is_there(member: str) -> None:
    """A row names a test that exists."""
    place, _, name = _rows()[member][1].partition("::")
    for short, folder in _FOLDERS.items():
        place = place.replace(short, folder, 1) if place.startswith(short) else place
    assert f"def {name}" in (_REPOSITORY / place).read_text()


@pytest.mark.parametrize("member", [one for one in _MEMBERS if one.startswith("Controller.")])
def test_a_method_has_its_counterpart(member: str) -> None:
    """Each phase of the controller is a coroutine of ours of the same name."""
    code = (_REPOSITORY / "services/controller/service/plugin_controller.py").read_text()
    assert f"    async def {member.partition('.')[2].lower()}(self" in code
