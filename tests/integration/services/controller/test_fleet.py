"""Controllers of several nodes on one Redis: the lease, its fence, commands to other nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from services.controller.adapters.fleet import BusFleet
from services.controller.adapters.lease import RedisLease
from services.controller.ports import Lost
from shared import errdefs
from shared.bus.ports import Delivery
from shared.bus.redis_bus import RedisBus
from shared.contracts.message import Done
from shared.contracts.node import Heartbeat, RowsChanged
from tests.support.buses import QUICK
from tests.support.redis import RedisServer

_BEAT = Heartbeat(node="a", version="1")


@pytest.fixture
async def buses(redis_server: RedisServer) -> AsyncIterator[dict[str, RedisBus]]:
    """Open a bus of the controller of each of two nodes."""
    made = {
        node: RedisBus(url=redis_server.url, node=node, service="controller", settings=QUICK)
        for node in ("a", "b")
    }
    for bus in made.values():
        await bus.open()
        assert await bus.wait_connected(5.0)
    yield made
    for bus in made.values():
        await bus.close()


async def test_one_holds_the_lease(buses: dict[str, RedisBus]) -> None:
    """The second sees who has it; let go, it is the second's."""
    first, second = (RedisLease(buses[node], ttl_s=60) for node in "ab")

    taken = await first.take(1)
    seen = await second.take(2)
    renewed = await first.take(1)
    await first.release()
    passed = await second.take(2)

    assert (taken.node, seen, renewed, passed.node, passed.term) == ("a", taken, taken, "b", 2)
    assert await first.look() == passed


async def test_a_lease_runs_out(buses: dict[str, RedisBus]) -> None:
    """Who is silent for longer than its time has lost it."""
    first, second = RedisLease(buses["a"], ttl_s=0.05), RedisLease(buses["b"], ttl_s=60)
    await first.take(1)

    held = await second.take(2)
    while held.node == "a":
        held = await second.take(2)

    assert held.node == "b"


async def test_the_successor_on_a_node_takes_over_at_once(buses: dict[str, RedisBus]) -> None:
    """A lease of an earlier process of the same node is no obstacle; another node's is."""
    lease = RedisLease(buses["a"], ttl_s=60)
    await lease.take(1)
    buses["a"].process = "controller-2-new"

    taken = await lease.take(2)

    assert (taken.term, taken.process) == (2, "controller-2-new")


async def test_orders_reach_another_node_while_the_lease_is_ours(
    buses: dict[str, RedisBus],
) -> None:
    """Redis itself refuses what is ordered by a controller that has lost the lease."""
    heard: list[str] = []

    async def handle(command: Heartbeat, _delivery: Delivery) -> Done:
        heard.append(command.version)
        return Done()

    buses["b"].serve({Heartbeat: handle})
    lease = RedisLease(buses["a"], ttl_s=60)
    fleet = BusFleet(bus=buses["a"], lease=lease)

    with pytest.raises(errdefs.Conflict):
        await fleet.order("b", _BEAT, timeout_s=5)
    await lease.take(1)
    await fleet.order("b", _BEAT, timeout_s=5)
    await buses["a"].ask(("DEL", "wherry:lease:controller"))
    await RedisLease(buses["b"], ttl_s=60).take(2)
    with pytest.raises(errdefs.Conflict):
        await fleet.order("b", _BEAT, timeout_s=5)

    assert heard == ["1"]


async def test_changes_of_another_node(buses: dict[str, RedisBus]) -> None:
    """They begin with Lost, and each that is published follows."""
    fleet = BusFleet(bus=buses["a"], lease=RedisLease(buses["a"], ttl_s=60))
    async with aclosing(fleet.changes("b")) as changes:
        first = await anext(changes)
        await buses["b"].publish(RowsChanged(epoch="e", revision=1, rows=()))
        second = await anext(changes)

    assert (first, second) == (Lost(), RowsChanged(epoch="e", revision=1, rows=()))
