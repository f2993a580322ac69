"""One controller is active: which, and what becomes of it when Redis or the other is gone."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from services.controller.domain.term import Holder
from shared import errdefs
from shared.contracts.batch import BatchRequest, CreateBatch, ListBatches, Selector, Target
from shared.contracts.node import Heartbeat, ListNodes, NodeState
from tests.support.controller import ControllerWorld, FakeRedis

_BEAT = Heartbeat(node="n9", version="1")


def _two() -> tuple[ControllerWorld, ControllerWorld]:
    redis, fleet = FakeRedis(), dict[str, ControllerWorld]()
    return tuple(ControllerWorld(name, redis=redis, fleet=fleet) for name in ("a", "b"))  # type: ignore[return-value]  # two


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_only_one_is_active() -> None:
    """A controller that finds the lease free takes it, in a term of its own."""
    async with ControllerWorld("a") as world:
        assert world.controller.leadership.is_active
        assert world.redis.holder is not None
        assert world.redis.holder.term == 1


async def test_the_second_stands_by_and_passes_on() -> None:
    """What the second is asked, the first answers."""
    a, b = _two()
    async with a, b:
        assert not b.controller.leadership.is_active
        await b.ask(_BEAT)

        shown = await b.ask(ListNodes())

    assert (shown.active, [node.name for node in shown.nodes]) == ("a", ["n9"])


async def test_the_second_has_a_copy_and_takes_over() -> None:
    """When the lease of the first has run out, the second goes on with what the first committed."""
    a, b = _two()
    async with a, b:
        await a.ask(_BEAT)
        await _settled()
        await a.crash()
        a.redis.holder = None

        await b.controller.leadership.look()

        assert b.controller.leadership.is_active
        assert b.redis.holder is not None
        assert b.redis.holder.term == 2
        assert [node.name for node in (await b.ask(ListNodes())).nodes] == ["n9"]


async def test_nothing_is_answered_before_what_is_kept_is_read() -> None:
    """Who takes over denies nothing that there is, at no moment."""
    a, b = _two()
    async with a, b:
        request = BatchRequest(selector=Selector(enabled=True), target=Target(tag="v2"))
        await a.ask(CreateBatch(batch_id="one", request=request))
        await _settled()
        await a.crash()
        a.redis.holder = None

        looking = asyncio.create_task(b.controller.leadership.look())
        found = []
        while not looking.done():
            with contextlib.suppress(errdefs.Unavailable, errdefs.DeadlineExceeded):
                found.append(len((await b.ask(ListBatches())).batches))
            await asyncio.sleep(0)
        found.append(len((await b.ask(ListBatches())).batches))

    assert set(found) == {1}


async def test_each_tells_its_feed_of_nodes() -> None:
    """What the active one commits, all tell, but of a node alone, which is in no swarm, nothing."""
    a, b = _two()
    async with a, b:
        await a.ask(_BEAT)
        await _settled()
        assert not any(one.facts for one in a.records.published)
        await a.ask(Heartbeat(node="n8", version="1"))
        await a.ask(Heartbeat(node="n7", version="1"))
        await _settled()

    told = [[fact for one in world.records.published for fact in one.facts] for world in (a, b)]
    for facts in told:
        assert [(one.action, one.attributes["name"]) for one in facts] == [
            ("create", "n8"),
            ("create", "n7"),
        ]
    assert not any(one.rows for one in b.records.published)


async def test_who_has_no_whole_copy_waits() -> None:
    """A free lease is left to others for its whole time while our rows may be old."""
    a, b = _two()
    async with a, b:
        a.is_running = False
        b.controller.following._is_whole = False
        b.redis.holder = None

        await b.controller.leadership.look()

        assert not b.controller.leadership.is_active


async def test_a_successor_takes_the_lease_of_its_dead_predecessor() -> None:
    """The node's lock says that whoever had the lease under the node's name is gone."""
    world = ControllerWorld("a")
    world.redis.holder = Holder(term=4, node="a", process="controller-1-dead")
    async with world:
        assert world.controller.leadership.is_active
        assert world.redis.holder.term == 5


async def test_a_flush_leaves_the_active_one_active() -> None:
    """Redis lost the lease: it is taken anew, in the same term."""
    async with ControllerWorld("a") as world:
        world.redis.holder = None

        await world.controller.leadership.look()

        assert world.controller.leadership.is_active
        assert world.redis.holder is not None
        assert world.redis.holder.term == 1


async def test_who_lost_the_lease_stands_down_and_copies() -> None:
    """One that was stopped for long finds another active, and what it kept is replaced."""
    a, b = _two()
    async with a, b:
        a.redis.holder = Holder(term=9, node="b", process="p")
        await b.controller.leadership.look()
        await b.ask(_BEAT)

        await a.controller.leadership.look()
        await _settled()

        assert not a.controller.leadership.is_active
        assert a.controller.nodes.get("n9") is not None


async def test_what_is_ordered_without_the_lease_is_not_sent() -> None:
    """The fence is at the bus: who does not know yet that it lost the lease can do nothing."""
    a, b = _two()
    async with a, b:
        a.redis.holder = Holder(term=9, node="b", process="p")

        with pytest.raises(errdefs.Conflict):
            await a.fleet.order("b", _BEAT, timeout_s=1)

    assert ("b", _BEAT) not in a.fleet.sent


async def test_without_redis_nothing_changes() -> None:
    """Nobody can act then, so nobody takes over."""
    async with ControllerWorld("a") as world:
        world.redis.is_away = True

        with pytest.raises(errdefs.Unavailable):
            await world.controller.leadership.look()

        assert world.controller.leadership.is_active
        world.redis.is_away = False


async def test_nobody_active() -> None:
    """A command says so while no controller is."""
    world = ControllerWorld("a")
    await world.controller.start()
    world.redis.is_away = True

    with pytest.raises(errdefs.Unavailable):
        await world.ask(ListNodes())


async def test_nodes_come_and_go() -> None:
    """A node that falls silent is down, one that is heard again is ready."""
    async with ControllerWorld("a") as world:
        await world.ask(_BEAT)
        world.clock.now_ns += 16 * 10**9
        await world.controller.nodes.look()
        (down,) = (await world.ask(ListNodes())).nodes
        await world.ask(_BEAT)
        (back,) = (await world.ask(ListNodes())).nodes

    assert (down.state, back.state) == (NodeState.DOWN, NodeState.READY)
    assert back.joined_at_ns == down.joined_at_ns


async def test_heartbeats_commit_nothing_while_nothing_changes() -> None:
    """A fleet that is well costs no writes."""
    async with ControllerWorld("a") as world:
        await world.ask(_BEAT)
        before = len(world.records.published)
        world.clock.now_ns += 10**9

        await world.ask(_BEAT)

        assert len(world.records.published) == before


async def test_the_heart_beats_to_the_active_one() -> None:
    """Each node's controller says that its node is there, with the key to seal to."""
    a, b = _two()
    async with a, b:
        await b.controller._heart.beat()

        (node,) = (await a.ask(ListNodes())).nodes

    assert (node.name, node.version, node.seal_key) == ("b", "0.1", "key-of-b")
