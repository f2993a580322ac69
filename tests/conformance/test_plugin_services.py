"""Services of plugins on three nodes: Docker's API, the docker CLI and docker-py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet, running_fleet
from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer

_NETWORK = {"name": "network", "value": ["host"]}
_FOO = [{"name": "foo", "value": "", "settable": ["value"]}]


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Run a registry that asks for a login."""
    with RegistryServer(has_login=True) as server:
        yield server


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


def _plugin(remote: str, **more: object) -> dict[str, object]:
    return {"remote": f"{remote}:v1", "privileges": [_NETWORK], **more}


def test_h10_h11_h12_h13_a_service_is_on_all_nodes(fleet: Fleet, remote: str) -> None:
    """Created it runs on all with its environment, updated it is v2 there, removed it is gone."""
    fleet.create("s", _plugin(remote, name="p", env=["foo=bar", "baz"]))
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
