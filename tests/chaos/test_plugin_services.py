"""Services of plugins on nodes that are killed, emptied and come back, and on plugins that end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet, running_fleet
from tests.support.node import PROCESSES, Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer

_NETWORK = {"name": "network", "value": ["host"]}
_FOO = [{"name": "foo", "value": "", "settable": ["value"]}]
_MANAGER = {"Placement": {"Constraints": ["node.role==manager"]}}
_AT_ONCE = {"Parallelism": 0, "Monitor": 1_000_000}


@pytest.fixture(scope="module")
def shared_fleet() -> Iterator[Fleet]:
    """Run three nodes on one Redis, that miss one another soon."""
    with running_fleet(
        WHERRY_CONTROLLER_NODE_TIMEOUT_S="6", WHERRY_CONTROLLER_LEASE_S="5"
    ) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def remote(shared_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Put two versions of a plugin at a registry, and give its repository."""
    contexts = Contexts.compiled(tmp_path_factory.mktemp("program"))
    with RegistryServer() as registry:
        repository = f"{registry.authority}/services/p"
        for version in ("v1", "v2"):
            context = contexts.tar(description=version, network={"type": "host"}, env=_FOO)
            publish(shared_fleet.first, f"{repository}:{version}", context)
        yield repository


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    """Give the test the nodes, and take away what it made."""
    yield shared_fleet
    shared_fleet.remove_all()


def _plugin(remote: str, **more: object) -> dict[str, object]:
    return {"remote": f"{remote}:v1", "name": "p", "privileges": [_NETWORK], **more}


def _container(node: Node) -> str:
    return str(node.http.get("/wherry/v1/plugins/p").json()["status"]["container_id"])


def test_a_node_that_was_killed_and_comes_back_converges(fleet: Fleet, remote: str) -> None:
    """It misses an update and a second service, and has both when it is back; the others ran on."""
    fleet.create("s", _plugin(remote), UpdateConfig=_AT_ONCE)
    fleet.wait_running("s", *fleet.nodes)
    lost = next(node for node in fleet.workers if node is not fleet.first)
    others = [node for node in fleet.nodes if node is not lost]

    lost.kill(*(name for name in PROCESSES if name in lost.pids()))
    fleet.wait_for_nodes(*others)
    fleet.update("s", remote=f"{remote}:v2")
    fleet.create("q", {**_plugin(remote), "name": "q"})
    fleet.wait_running("s", *others)
    fleet.wait_running("q", *others)
    for node in others:
        fleet.wait_plugin(node, "p:latest", PluginReference=f"{remote}:v2", Enabled=True)
    containers = [_container(node) for node in others]

    lost.start()
    lost.wait_healthy()
    fleet.wait_for_nodes(*fleet.nodes)
    fleet.wait_running("s", *fleet.nodes)
    fleet.wait_running("q", *fleet.nodes)
    fleet.wait_plugin(lost, "p:latest", PluginReference=f"{remote}:v2", Enabled=True)
    assert [_container(node) for node in others] == containers


def test_another_controller_takes_over_and_restarts_nothing(fleet: Fleet, remote: str) -> None:
    """The manager's controller is killed, again and again: the service is as it was."""
    fleet.create("s", _plugin(remote))
    fleet.wait_running("s", *fleet.nodes)
    containers = [_container(node) for node in fleet.nodes]

    for _ in range(3):
        fleet.manager.kill("controller")
        eventually(lambda: fleet.first.http.get("/nodes").status_code == 200, "a controller")
    for node in fleet.nodes:
        node.wait_healthy()
    fleet.wait_for_nodes(*fleet.nodes)
    fleet.wait_running("s", *fleet.nodes)

    assert [_container(node) for node in fleet.nodes] == containers


def test_the_manager_s_node_is_lost_in_an_update(fleet: Fleet, remote: str) -> None:
    """Another node's controller goes on with the update; the lost node has it once it is back."""
    manager, rest = fleet.manager, Fleet(fleet.workers)
    fleet.create("s", _plugin(remote), UpdateConfig={"Parallelism": 1, "Monitor": 1_000_000})
    fleet.wait_running("s", *fleet.nodes)
    rest.update("s", remote=f"{remote}:v2")
    begun = min(fleet.nodes, key=lambda node: node.name)
    fleet.wait_plugin(begun, "p:latest", PluginReference=f"{remote}:v2")

    manager.kill(*(name for name in PROCESSES if name in manager.pids()))
    eventually(lambda: rest.first.http.get("/nodes").status_code == 200, "a controller")
    rest.wait_for_nodes(*rest.nodes)
    assert rest.manager in rest.nodes
    rest.wait_running("s", *rest.nodes)
    for node in rest.nodes:
        rest.wait_plugin(node, "p:latest", PluginReference=f"{remote}:v2", Enabled=True)

    manager.start()
    manager.wait_healthy()
    fleet.wait_for_nodes(*fleet.nodes)
    fleet.wait_running("s", *fleet.nodes)
    fleet.wait_plugin(manager, "p:latest", PluginReference=f"{remote}:v2", Enabled=True)


def test_our_cli_creates_updates_and_drains(fleet: Fleet, remote: str) -> None:
    """A service from nothing, an environment that comes and goes, a node that is emptied."""
    node, manager = fleet.first, fleet.manager
    grant = "--grant-all-permissions"
    role = "node.role==manager"
    create = ("service", "create", "s", f"{remote}:v1", "--plugin-name", "p", grant)
    node.wherry(*create, "--constraint", role, "--env", "foo=1")
    fleet.wait_running("s", manager)
    before = fleet.wait_plugin(manager, "p:latest", Enabled=True)
    assert before["Settings"]["Env"] == ["foo=1"]
    container = manager.http.get("/wherry/v1/plugins/p").json()["status"]["container_id"]

    node.wherry("service", "update", "s", "--constraint-add", "node.platform.os==linux")
    fleet.wait_running("s", manager)
    after = manager.http.get("/wherry/v1/plugins/p").json()["status"]["container_id"]
    assert after == container

    node.wherry("service", "update", "s", "--env-rm", "foo", "--monitor", "1ms")

    def is_reset() -> bool:
        return bool(fleet.plugins(manager)["p:latest"]["Settings"]["Env"] == ["foo="])

    eventually(is_reset, "the environment is as the config has it")
    fleet.wait_running("s", manager)
    assert manager.name in node.wherry("service", "ps", "s")
    assert "1/1" in node.wherry("service", "ls")
    assert "manager (leader)" in node.wherry("node", "ls")

    node.wherry("node", "drain", manager.name)
    fleet.wait_gone(manager, "p:latest")
    node.wherry("node", "activate", manager.name)
    fleet.wait_plugin(manager, "p:latest", Enabled=True)
    node.wherry("service", "rm", "s")
    fleet.wait_gone(manager, "p:latest")


def test_a_crash_shows_in_the_task(fleet: Fleet, remote: str) -> None:
    """The task of a plugin that was killed fails with its exit code, and has a successor."""
    manager = fleet.manager
    quick = {**_MANAGER, "RestartPolicy": {"Delay": 100_000_000}}
    fleet.create("s", _plugin(remote), TaskTemplate=quick)
    fleet.wait_running("s", manager)

    os.kill(manager.http.get("/wherry/v1/plugins/p").json()["status"]["pid"], signal.SIGKILL)

    def has_failed() -> bool:
        return any(t["Status"]["State"] == "failed" for t in fleet.tasks("s"))

    eventually(has_failed, "a task failed")
    (failed,) = (t for t in fleet.tasks("s") if t["Status"]["State"] == "failed")
    assert failed["Status"]["Err"] == "plugin ended with exit code 137"
    assert failed["Status"]["ContainerStatus"]["ExitCode"] == 137
    fleet.wait_running("s", manager)
