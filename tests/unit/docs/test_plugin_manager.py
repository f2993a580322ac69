"""The page that maps Docker's plugin manager: whole, and true of messages and tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate

_REPOSITORY = Path(__file__).parents[3]
_PAGE = _REPOSITORY / "docs" / "reference" / "plugin-manager.md"
_FOLDERS = {
    "S/": "tests/unit/services/store/",
    "C/": "tests/conformance/",
    "E/": "tests/integration/services/executor/",
}
#: Exported members of Docker's packages plugin and plugin/executor/containerd.
_MEMBERS = (
    "NewManager",
    "Manager.CreateFromContext",
    "Manager.Disable",
    "Manager.Enable",
    "Manager.GC",
    "Manager.Get",
    "Manager.HandleExitEvent",
    "Manager.Inspect",
    "Manager.List",
    "Manager.Privileges",
    "Manager.Pull",
    "Manager.Push",
    "Manager.Remove",
    "Manager.Set",
    "Manager.Shutdown",
    "Manager.SubscribeEvents",
    "Manager.Upgrade",
    "ManagerConfig.Store",
    "ManagerConfig.RegistryService",
    "ManagerConfig.LiveRestoreEnabled",
    "ManagerConfig.LogPluginEvent",
    "ManagerConfig.Root",
    "ManagerConfig.ExecRoot",
    "ManagerConfig.CreateExecutor",
    "ManagerConfig.AuthzMiddleware",
    "EndpointResolver.LookupPullEndpoints",
    "WithEnv",
    "WithSwarmService",
    "SpecOpt",
    "WithSpecMounts",
    "EventCreate",
    "EventDisable",
    "EventEnable",
    "EventRemove",
    "NewStore",
    "Store.Add",
    "Store.CallHandler",
    "Store.Get",
    "Store.GetAll",
    "Store.GetAllByCap",
    "Store.GetAllManagedPluginsByCap",
    "Store.GetV2Plugin",
    "Store.Handle",
    "Store.RegisterRuntimeOpt",
    "Store.Remove",
    "Store.SetAll",
    "Store.SetState",
    "containerd.New",
    "Executor.Create",
    "Executor.IsRunning",
    "Executor.ProcessEvent",
    "Executor.Restore",
    "Executor.Signal",
    "ExitHandler.HandleExitEvent",
)


def _rows() -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \| `([^`|]+)` \|$", _PAGE.read_text(), re.MULTILINE)
    return {member: (here, test) for member, here, test in rows}


def test_every_member_has_a_row() -> None:
    """Nothing that Docker's packages offer is left out, and nothing is made up."""
    assert sorted(_rows()) == sorted(_MEMBERS)


def test_messages_are_there() -> None:
    """A row names messages that the contracts have."""
    said = {name for here, _ in _rows().values() for name in re.findall(r"`([\w.-]+\.v\d)`", here)}
    known = set(re.findall(r"^### `(.+)`$", generate.page(), re.MULTILINE))
    assert said <= known


@pytest.mark.parametrize("member", _MEMBERS)
def test_a_row_s_test_is_there(member: str) -> None:
    """A row names a test that exists, or a module of them."""
    place, _, name = _rows()[member][1].partition("::")
    for short, folder in _FOLDERS.items():
        place = place.replace(short, folder, 1) if place.startswith(short) else place
    text = (_REPOSITORY / place).read_text()
    assert f"def {name or 'test_'}" in text
