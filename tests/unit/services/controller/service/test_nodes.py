"""What is said of nodes at the same moment: each change sees the one before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared import errdefs
from shared.contracts.node import (
    Availability,
    Heartbeat,
    ListNodes,
    Node,
    NodeState,
    RemoveNode,
    UpdateNode,
)
from tests.support.controller import ControllerWorld

_BEAT = Heartbeat(node="b", version="1", seal_key="k")
_NEWS = Heartbeat(node="b", version="2", seal_key="k")
_DRAIN = UpdateNode(name="b", revision=1, labels={}, availability=Availability.DRAIN)
_LABEL = UpdateNode(name="b", revision=1, labels={"x": "y"}, availability=Availability.ACTIVE)


@pytest.fixture
async def world() -> AsyncIterator[ControllerWorld]:
    """Give a controller that has heard of its node and another."""
    async with ControllerWorld("a") as made:
        await made.ask(Heartbeat(node="a", version="1"))
        await made.ask(_BEAT)
        yield made


async def _node(world: ControllerWorld) -> Node | None:
    return next((one for one in (await world.ask(ListNodes())).nodes if one.name == "b"), None)


async def test_of_two_updates_of_one_revision_the_second_is_refused(
    world: ControllerWorld,
) -> None:
    """Who comes second is told that it has not seen the first."""
    first, second = await asyncio.gather(
        world.ask(_DRAIN, message_id="1"),
        world.ask(_LABEL, message_id="2"),
        return_exceptions=True,
    )

    assert not isinstance(first, BaseException)
    assert isinstance(second, errdefs.Conflict)
    assert (await _node(world),) == first.nodes


async def test_an_update_that_is_delivered_twice_at_once_is_one(world: ControllerWorld) -> None:
    """Both are given the same answer."""
    first, again = await asyncio.gather(world.ask(_DRAIN), world.ask(_DRAIN))

    assert first == again
    assert first.nodes[0].revision == 2


@pytest.mark.parametrize("is_beat_first", [False, True], ids=["update first", "beat first"])
async def test_a_heartbeat_with_news_undoes_no_update(
    world: ControllerWorld, is_beat_first: bool
) -> None:
    """What people set stays, and what the node said, too."""
    update, beat = world.ask(_DRAIN, message_id="1"), world.ask(_NEWS, message_id="2")

    await asyncio.gather(*((beat, update) if is_beat_first else (update, beat)))

    node = await _node(world)
    assert node is not None
    assert (node.availability, node.revision, node.version) == (Availability.DRAIN, 2, "2")


async def test_a_node_found_silent_keeps_what_is_set_meanwhile(world: ControllerWorld) -> None:
    """It is down, and to be drained."""
    world.clock.now_ns += 16 * 10**9

    await asyncio.gather(world.ask(_DRAIN), world.controller.nodes.look())

    node = await _node(world)
    assert node is not None
    assert (node.state, node.availability) == (NodeState.DOWN, Availability.DRAIN)


async def test_an_update_brings_no_removed_node_back(world: ControllerWorld) -> None:
    """Who removes it first has the last word."""
    removed, updated = await asyncio.gather(
        world.ask(RemoveNode(name="b", force=True), message_id="1"),
        world.ask(_DRAIN, message_id="2"),
        return_exceptions=True,
    )

    assert not isinstance(removed, BaseException)
    assert isinstance(updated, errdefs.NotFound)
    assert await _node(world) is None


async def test_a_node_heard_while_it_is_removed_can_fall_silent(world: ControllerWorld) -> None:
    """It is a new node then, with its whole time from the next look on."""
    await asyncio.gather(
        world.ask(RemoveNode(name="b", force=True), message_id="1"),
        world.ask(_BEAT, message_id="2"),
    )
    await world.controller.nodes.look()
    world.clock.now_ns += 16 * 10**9
    await world.controller.nodes.look()

    node = await _node(world)
    assert node is not None
    assert node.state is NodeState.DOWN


async def test_who_stands_down_amid_a_look_lets_others_change_nodes(
    world: ControllerWorld,
) -> None:
    """A look that is cancelled keeps nobody waiting."""
    world.clock.now_ns += 16 * 10**9
    looking = asyncio.create_task(world.controller.nodes.look())
    await asyncio.sleep(0)
    looking.cancel()
    await asyncio.wait([looking])

    async with asyncio.timeout(5):
        await world.ask(_DRAIN)
