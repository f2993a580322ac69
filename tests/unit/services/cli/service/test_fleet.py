"""`wherry node` and `wherry service`, over a stand-in for Docker's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from services.cli.domain import node, plugin_service
from services.cli.domain.login import Login
from services.cli.domain.plugin import Privilege
from services.cli.domain.plugin_service import ServiceWish
from services.cli.ports import Api
from services.cli.service.fleet import Fleet
from services.cli.service.granting import Granting
from shared import errdefs

NETWORK = Privilege(name="network", description="d", value=("host",))
LOGIN = Login(fields={"username": "u"}, note="found in a file")
NODE = {
    "ID": "n" * 25,
    "Version": {"Index": 4},
    "Spec": {"Labels": {"a": "b"}, "Role": "worker", "Availability": "active"},
    "Description": {"Hostname": "host-1", "Engine": {"EngineVersion": "0.1"}},
    "Status": {"State": "ready"},
}
SERVICE = {
    "ID": "s" * 25,
    "Version": {"Index": 7},
    "Spec": {
        "Name": "s",
        "TaskTemplate": {
            "Runtime": "plugin",
            "PluginSpec": {"remote": "a/p:v1", "env": ["A=1", "B=2"]},
            "Placement": {"Constraints": ["node.role==manager"]},
            "ForceUpdate": 1,
        },
    },
    "ServiceStatus": {"RunningTasks": 1, "DesiredTasks": 2},
}


class FakeEngine:
    """A ports.Engine that shows one node and one service, and keeps what was wished."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, Mapping[str, Any], Login, dict[str, str]]] = []
        self.deleted: list[tuple[str, dict[str, str]]] = []

    def get(self, path: str, **query: str) -> Any:
        """Return what a route shows."""
        shown: Any = NODE if path.startswith("/nodes") else SERVICE
        return [shown] if path in ("/nodes", "/services") else shown

    def post(self, path: str, body: Mapping[str, Any], login: Login, **query: str) -> Any:
        """Keep a wish."""
        self.posted.append((path, body, login, query))
        return {"ID": "new", "Warnings": ["of no use"]}

    def delete(self, path: str, **query: str) -> None:
        """Keep a wish."""
        self.deleted.append((path, query))


class _Api:
    def privileges(self, _remote: str, _login: Login) -> tuple[Privilege, ...]:
        return (NETWORK,)


class _Logins:
    def find(self, _domain: str) -> Login:
        return LOGIN


class World:
    """A Fleet and what it stands on."""

    def __init__(self, *, consents: bool = True) -> None:
        self.engine = FakeEngine()
        self.warnings: list[str] = []
        granting = Granting(
            api=cast("Api", _Api()),
            logins=_Logins(),
            consent=lambda _remote, _needed: consents,
            warn=self.warnings.append,
        )
        self.fleet = Fleet(engine=self.engine, granting=granting, warn=self.warnings.append)


def test_a_node_is_labelled() -> None:
    """What was not named stays, and the version that was seen is named."""
    world = World()

    world.fleet.update_node("host-1", added=("x=y", "z"), removed=("a",), availability="drain")

    ((path, spec, _, query),) = world.engine.posted
    assert path == f"/nodes/{'n' * 25}/update"
    assert spec == {"Labels": {"x": "y", "z": ""}, "Role": "worker", "Availability": "drain"}
    assert query == {"version": "4"}


def test_a_label_that_there_is_not_is_no_label_to_remove() -> None:
    """A slip is said, and changes nothing."""
    world = World()

    with pytest.raises(errdefs.InvalidArgument, match="no label q"):
        world.fleet.update_node("host-1", removed=("q",))

    assert world.engine.posted == []


def test_a_service_is_created_with_what_its_plugin_was_granted() -> None:
    """Docker's login goes along, and warnings are told."""
    world = World()
    wish = ServiceWish(remote="r.example/p:v1", env=("A=1",), constraints=("node.role==worker",))

    assert world.fleet.create("s", wish) == "new"

    ((path, spec, login, _),) = world.engine.posted
    assert (path, login) == ("/services/create", LOGIN)
    assert spec["Name"] == "s"
    assert spec["TaskTemplate"]["Runtime"] == "plugin"
    assert spec["TaskTemplate"]["PluginSpec"] == {
        "remote": "r.example/p:v1",
        "privileges": [{"name": "network", "description": "d", "value": ("host",)}],
        "env": ["A=1"],
    }
    assert spec["TaskTemplate"]["Placement"] == {"Constraints": ["node.role==worker"]}
    assert world.warnings == ["found in a file", "of no use"]


def test_what_is_not_granted_is_not_created() -> None:
    """A person said no."""
    world = World(consents=False)

    with pytest.raises(errdefs.PermissionDenied):
        world.fleet.create("s", ServiceWish(remote="r.example/p:v1"))

    assert world.engine.posted == []


def test_an_update_changes_what_was_named() -> None:
    """Environment by name, constraints by their text, a counter to force it."""
    world = World()
    wish = ServiceWish(
        env=("B=3",),
        env_removed=("A",),
        constraints=("node.labels.x==y",),
        constraints_removed=("node.role==manager",),
        enabled=False,
        update={"Parallelism": 3},
        force=True,
    )

    world.fleet.update("s", wish)

    ((path, spec, login, query),) = world.engine.posted
    assert (path, query) == (f"/services/{'s' * 25}/update", {"version": "7"})
    assert not login.fields
    template = spec["TaskTemplate"]
    assert template["PluginSpec"] == {"remote": "a/p:v1", "env": ["B=3"], "disabled": True}
    assert template["Placement"] == {"Constraints": ["node.labels.x==y"]}
    assert template["ForceUpdate"] == 2
    assert spec["UpdateConfig"] == {"Parallelism": 3}


def test_another_version_is_granted_anew() -> None:
    """What the new version needs is what the service grants from then on."""
    world = World()

    world.fleet.update("s", ServiceWish(remote="a/p:v2"))

    ((_, spec, login, _),) = world.engine.posted
    assert login == LOGIN
    plugin = spec["TaskTemplate"]["PluginSpec"]
    assert (plugin["remote"], plugin["privileges"][0]["name"]) == ("a/p:v2", "network")


def test_rollback_and_removals() -> None:
    """Each is one request."""
    world = World()

    world.fleet.roll_back("s")
    world.fleet.remove("s")
    world.fleet.remove_node("host-1", force=True)

    assert world.engine.posted[0][3] == {"version": "7", "rollback": "previous"}
    assert world.engine.deleted == [("/services/s", {}), ("/nodes/host-1", {"force": "true"})]


def test_tables() -> None:
    """What a person looks for first."""
    nodes = node.listed([NODE, {**NODE, "ManagerStatus": {"Leader": True}}]).splitlines()
    assert nodes[1].split() == ["host-1", "n" * 12, "ready", "active", "worker", "a=b", "0.1"]
    assert "manager (leader)" in nodes[2]

    services = plugin_service.listed([SERVICE]).splitlines()
    assert services[1].split() == ["s", "s" * 12, "1/2", "a/p:v1", "a/p:v1", "-"]

    task = {
        "ID": "t" * 25,
        "CreatedAt": "2026-01-01T00:00:00Z",
        "NodeID": "n1",
        "Status": {"State": "failed", "Err": "it ended"},
        "DesiredState": "shutdown",
        "Spec": SERVICE["Spec"]["TaskTemplate"],  # type: ignore[index] # the body is JSON
    }
    newer = {**task, "ID": "u" * 25, "CreatedAt": "2026-01-02T00:00:00Z"}
    tasks = plugin_service.tasks_listed([task, newer], {"n1": "host-1"}).splitlines()
    assert [line.split()[:2] for line in tasks[1:]] == [
        ["host-1", "u" * 12],
        ["host-1", "t" * 12],
    ]
    assert tasks[1].endswith("it ended")
