"""Services of plugins on three nodes: Docker's API, the docker CLI, docker-py, and our own CLI."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from shared.contracts.node import node_id
from tests.support.fleet import Fleet, running_fleet
from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import PASSWORD, USER, RegistryServer

_NETWORK = {"name": "network", "value": ["host"]}
_FOO = [{"name": "foo", "value": "", "settable": ["value"]}]
_MANAGER = {"Placement": {"Constraints": ["node.role==manager"]}}


@pytest.fixture(scope="module")
def remote(shared_node: Node, contexts: Contexts, hub: RegistryServer) -> str:
    """Put two versions of a plugin at a registry, and return its repository."""
    repository = f"{hub.authority}/services/p"
    for version in ("v1", "v2"):
        context = contexts.tar(description=version, network={"type": "host"}, env=_FOO)
        publish(shared_node, f"{repository}:{version}", context)
    return repository


@pytest.fixture(scope="module")
def shared_fleet() -> Iterator[Fleet]:
    """Run three nodes on one Redis."""
    with running_fleet() as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    """Give the test the nodes, and take away what it made."""
    with shared_fleet.first.log_shown():
        yield shared_fleet
        shared_fleet.remove_all()


def _plugin(remote: str, **more: Any) -> dict[str, Any]:
    return {"remote": f"{remote}:v1", "privileges": [_NETWORK], **more}


def test_h10_h11_h12_h13_a_service_is_on_all_nodes(fleet: Fleet, remote: str) -> None:
    """Created it runs on all with its environment, updated it is v2 there, removed it is gone."""
    quick = {"Parallelism": 0, "Monitor": 1_000_000}
    plugin = _plugin(remote, name="p", env=["foo=bar", "baz"])
    fleet.create("s", plugin, UpdateConfig=quick)
    fleet.wait_running("s", *fleet.nodes)
    for node in fleet.nodes:
        plugin = fleet.wait_plugin(node, "p:latest", Enabled=True)
        assert plugin["Settings"]["Env"] == ["foo=bar"]

    fleet.update("s", remote=f"{remote}:v2")
    for node in fleet.nodes:
        fleet.wait_plugin(node, "p:latest", PluginReference=f"{remote}:v2", Enabled=True)
    fleet.wait_running("s", *fleet.nodes)

    fleet.remove("s")
    for node in fleet.nodes:
        fleet.wait_gone(node, "p:latest")


def test_h14_h15_a_constraint_keeps_the_workers_out(fleet: Fleet, remote: str) -> None:
    """On the manager alone, called by its remote reference; a label that comes brings it, too."""
    manager, (worker, other) = fleet.manager, fleet.workers
    fleet.create("m", _plugin(remote), TaskTemplate=_MANAGER)
    labelled = {"Placement": {"Constraints": ["node.labels.zone==a"]}}
    fleet.create("z", _plugin(remote, name="z"), TaskTemplate=labelled)

    fleet.wait_running("m", manager)
    fleet.wait_plugin(manager, f"{remote}:v1", Enabled=True)
    assert all(fleet.plugins(node) == {} for node in fleet.workers)

    worker.docker("node", "update", "--label-add", "zone=a", worker.name)
    fleet.wait_running("z", worker)
    fleet.wait_plugin(worker, "z:latest", Enabled=True)
    assert fleet.plugins(other) == {}
    worker.wherry("node", "update", worker.name, "--label-rm", "zone")
    fleet.wait_gone(worker, "z:latest")


def test_clients_see_services_tasks_and_nodes(fleet: Fleet, remote: str) -> None:
    """The docker CLI lists, inspects and removes them; so does docker-py's low-level API."""
    fleet.create("s", _plugin(remote, name="p"), TaskTemplate=_MANAGER)
    manager = fleet.manager
    fleet.wait_running("s", manager)
    node = fleet.workers[0]

    assert node.docker("service", "ls", "-q") == ""
    plugins = ("--filter", "runtime=plugin")
    listed = node.docker("service", "ls", *plugins, "--format", "{{.Name}} {{.Mode}} {{.Replicas}}")
    assert listed == "s global 1/1"
    tasks = node.docker("service", "ps", "s", "--format", "{{.Node}} {{.CurrentState}}")
    assert tasks.startswith(f"{manager.name} Running")
    assert f"{remote}:v1" in node.docker("service", "ps", "s")
    (shown,) = json.loads(node.docker("service", "inspect", "s"))
    assert shown["Spec"]["TaskTemplate"]["PluginSpec"]["remote"] == f"{remote}:v1"
    nodes = node.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.ManagerStatus}}")
    assert f"{manager.name} Ready Leader" in nodes.splitlines()
    assert f"{node.name} Ready " in nodes.splitlines()
    (shown,) = json.loads(node.docker("node", "inspect", node.name))
    assert shown["Spec"]["Role"] == "worker"
    assert "Swarm: inactive" in node.docker("info")

    client = docker.APIClient(base_url=f"unix://{node.socket}")
    try:
        (service,) = client.services(filters={"runtime": "plugin"})
        (task,) = client.tasks(filters={"service": service["ID"]})
        assert (task["ServiceID"], task["Status"]["State"]) == (service["ID"], "running")
        assert client.inspect_service("s")["ID"] == service["ID"]
        assert client.inspect_task(task["ID"])["NodeID"] == task["NodeID"]
        assert {n["Description"]["Hostname"] for n in client.nodes()} == {
            one.name for one in fleet.nodes
        }
    finally:
        client.close()

    node.docker("service", "rm", "s")
    fleet.wait_gone(manager, "p:latest")


def test_each_node_tells_of_services_and_nodes(fleet: Fleet, remote: str) -> None:
    """`docker events` on a worker shows what swarm's managers show, and so does the manager's."""
    began_s = time.time()
    service_id = fleet.create("e", _plugin(remote, name="e"), TaskTemplate=_MANAGER)
    fleet.wait_running("e", fleet.manager)
    worker = fleet.workers[0]
    fleet.set_node(worker, Availability="drain")
    fleet.remove("e")

    wanted = [
        ("service", "create", service_id, {"name": "e"}),
        ("service", "remove", service_id, {"name": "e"}),
        (
            *("node", "update", node_id(worker.name)),
            {
                "name": worker.name,
                "availability.old": "active",
                "availability.new": "drain",
            },
        ),
    ]
    for node in (worker, fleet.manager):
        eventually(lambda: _told(node, began_s, wanted), f"{node.name} tells")  # noqa: B023 - awaited here


def _told(node: Node, since_s: float, wanted: list[tuple[Any, ...]]) -> bool:
    """Tell whether these events, of scope swarm, were told on a node."""
    said = node.docker(
        *("events", "--since", f"{since_s:.3f}", "--until", f"{time.time():.3f}"),
        *("--filter", "scope=swarm", "--format", "{{json .}}"),
    )
    events = [json.loads(line) for line in said.splitlines()]
    found = [(e["Type"], e["Action"], e["Actor"]["ID"], e["Actor"]["Attributes"]) for e in events]
    return all(one in found for one in wanted)


def test_a_login_reaches_the_node_that_needs_it(
    fleet: Fleet, shared_node: Node, contexts: Contexts
) -> None:
    """A plugin of a private registry comes with a login, and without one says why it does not."""
    manager = fleet.manager
    with RegistryServer(has_login=True) as registry:
        ref = f"{registry.authority}/private/p:v1"
        shared_node.docker("login", "-u", USER, "-p", PASSWORD, registry.authority)
        shared_node.create(ref, contexts.tar(network={"type": "host"}))
        shared_node.docker("plugin", "push", ref)
        shared_node.remove(ref)
        plugin = {"remote": ref, "name": "p", "privileges": [_NETWORK]}
        fleet.create("closed", plugin, TaskTemplate=_MANAGER)

        def is_rejected() -> bool:
            return any(t["Status"]["State"] == "rejected" for t in fleet.tasks("closed"))

        eventually(is_rejected, "the registry lets nobody in without a login")
        fleet.remove("closed")

        login = {"username": USER, "password": PASSWORD, "serveraddress": registry.authority}
        fleet.create("open", plugin, login=login, TaskTemplate=_MANAGER)
        fleet.wait_running("open", manager)
    assert PASSWORD not in json.dumps(fleet.service("open"))
