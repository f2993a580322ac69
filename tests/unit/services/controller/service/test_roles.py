"""A controller that may not be active, and one that has no plugins beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.controller.domain.role import Role
from services.controller.domain.term import Holder
from shared import errdefs
from shared.contracts.batch import BatchRequest, CreateBatch, Selector, Target
from shared.contracts.node import Availability, Heartbeat, ListNodes, NodeDescription, UpdateNode
from shared.contracts.store import GetInventory
from tests.support.controller import ControllerWorld, FakeRedis
from tests.support.wait import eventually

_ALONE = Heartbeat(node="m", version="1", description=NodeDescription(runs_plugins=False))


@pytest.fixture
async def manager() -> AsyncIterator[ControllerWorld]:
    """Give a controller that runs alone, active."""
    async with ControllerWorld("m", role=Role.MANAGER) as made:
        yield made


async def test_a_worker_leaves_the_lease_to_others() -> None:
    """Nobody is active while there is none but workers; it says so to whoever asks."""
    async with ControllerWorld("w", role=Role.WORKER) as world:
        with pytest.raises(errdefs.Unavailable, match="no controller is active"):
            await world.ask(ListNodes())

        assert world.redis.holder is None


async def test_a_worker_passes_on_and_copies() -> None:
    """What it is asked the manager answers; what that commits the worker's feed hears."""
    redis, fleet = FakeRedis(), dict[str, ControllerWorld]()
    manager = ControllerWorld("m", redis=redis, fleet=fleet, role=Role.MANAGER)
    worker = ControllerWorld("w", redis=redis, fleet=fleet, role=Role.WORKER)
    async with manager, worker:
        await worker.ask(Heartbeat(node="w", version="1"))
        shown = await worker.ask(ListNodes())
        await eventually(lambda: worker.records.rows.keys() == manager.records.rows.keys())

    assert (shown.active, [node.name for node in shown.nodes]) == ("m", ["w"])


async def test_one_made_a_worker_gives_up_what_it_had() -> None:
    """The lease of the process before, which might lead, is not kept alive."""
    redis = FakeRedis()
    redis.holder = Holder(term=3, node="w", process="controller-of-before")
    async with ControllerWorld("w", redis=redis, role=Role.WORKER) as world:
        leadership = world.controller.leadership

        assert (leadership.is_active, leadership.holder) == (False, None)
        assert redis.holder.process == "controller-of-before"


async def test_nothing_runs_beside_a_manager_alone(manager: ControllerWorld) -> None:
    """It is a node that is drained, and can't be opened."""
    await manager.ask(_ALONE)
    (node,) = (await manager.ask(ListNodes())).nodes
    wish = UpdateNode(name="m", revision=node.revision, labels={}, availability=Availability.ACTIVE)

    assert node.availability is Availability.DRAIN
    with pytest.raises(errdefs.Conflict, match="nothing can run there"):
        await manager.ask(wish)


async def test_a_node_that_becomes_a_manager_alone_is_drained(manager: ControllerWorld) -> None:
    """The next heartbeat says that it has no plugins any more."""
    await manager.ask(Heartbeat(node="m", version="1"))
    await manager.ask(_ALONE)

    (node,) = (await manager.ask(ListNodes())).nodes

    assert node.availability is Availability.DRAIN


async def test_a_batch_asks_no_manager_alone(manager: ControllerWorld) -> None:
    """Only nodes that have plugins are asked for them."""
    await manager.ask(_ALONE)
    await manager.ask(Heartbeat(node="w", version="1"))
    request = BatchRequest(selector=Selector(enabled=True), target=Target(tag="v2"))
    await manager.ask(CreateBatch(batch_id="b", request=request))

    def asked() -> list[str]:
        return [node for node, command in manager.fleet.sent if isinstance(command, GetInventory)]

    async with asyncio.timeout(10):
        await eventually(lambda: bool(asked()))
    assert asked() == ["w"]
