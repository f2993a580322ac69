"""Nodes whose controllers are workers, and one controller elsewhere that is active for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support import batch_fleet
from tests.support.fleet import Fleet
from tests.support.lone_services import LoneServices
from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.redis import RedisServer
from tests.support.registry import RegistryServer

_COUNT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Two nodes and their controller, as clients of services and of batches see them."""

    fleet: Fleet
    batches: batch_fleet.Fleet
    manager: LoneServices
    registry: str


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    """Run them on one Redis, with two versions of a plugin at a registry."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        registry = stack.enter_context(RegistryServer())
        env = {"WHERRY_REDIS_URL": redis.url, "WHERRY_STOP_GRACE_S": "1"}
        manager = LoneServices(**env, WHERRY_CONTROLLER_ROLE="manager")
        nodes = tuple(Node(**env, WHERRY_CONTROLLER_ROLE="worker") for _ in range(2))
        for node in (manager, *nodes):
            stack.callback(node.destroy)
        manager.start_service("controller")
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_healthy()
        fleet = Fleet(nodes)
        fleet.wait_for_nodes(manager, *nodes)
        batches = batch_fleet.Fleet(nodes, redis, registry)
        batches.push(Contexts.compiled(tmp_path_factory.mktemp("program")))
        yield Placed(fleet=fleet, batches=batches, manager=manager, registry=registry.authority)


def test_services_are_brought_about_by_a_controller_elsewhere(placed: Placed) -> None:
    """It is the manager, drained, and a service is on all nodes that have plugins."""
    fleet, manager = placed.fleet, placed.manager
    shown = {node["Description"]["Hostname"]: node for node in fleet.shown_nodes()}

    fleet.create("s", {"remote": f"{placed.registry}/good:v1", "name": "s"})
    fleet.wait_running("s", *fleet.nodes)

    leaders = [name for name, node in shown.items() if "ManagerStatus" in node]
    assert leaders == [manager.name]
    assert shown[manager.name]["Spec"]["Availability"] == "drain"
    assert len(fleet.tasks("s")) == len(fleet.nodes)
    fleet.remove("s")
    for node in fleet.nodes:
        fleet.wait_gone(node, "s:latest")


def test_a_batch_goes_on_when_the_controller_elsewhere_is_back(placed: Placed) -> None:
    """It is killed while plugins are upgraded; started again, it ends what it began, once each."""
    batches, manager = placed.batches, placed.manager
    batches.install(_COUNT)
    upgrade = batches.begin(update={"parallelism": 1})
    eventually(lambda: batches.counts(upgrade).get("upgrading"), "an upgrade is under way")

    manager.processes["controller"].kill()
    manager.processes.pop("controller").wait(timeout=30)
    manager.start_service("controller")
    ended = batches.wait(upgrade, "completed")

    assert ended["upgrade"]["counts"] == {"upgraded": _COUNT}
    assert batches.versions() == {"v2": _COUNT}
    batches.remove()
