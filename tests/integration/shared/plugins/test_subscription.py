"""Events of plugins over a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.bus import names
from shared.contracts.store import Fact, PluginChanged
from shared.plugins.events import EventEnable, Missed, Position, subscribe
from tests.support.buses import NODE, Buses
from tests.support.redis import RedisServer
from tests.support.wait import eventually

STREAM = names.changes(NODE, "store")


@pytest.fixture
async def buses(redis_server: RedisServer) -> AsyncIterator[Buses]:
    """Give the test a maker of buses on a Redis of its own."""
    async with Buses(redis_server.url) as made:
        yield made


def publish(server: RedisServer, revision: int) -> None:
    """Publish an enable as the store's relay does."""
    change = PluginChanged(
        epoch="e",
        revision=revision,
        plugin_id="1" * 64,
        plugin=None,
        facts=(Fact(action="enable", actor_id="1" * 64, time_ns=0),),
    )
    server.command(
        *("XADD", STREAM, f"{revision}-0", "id", f"m{revision}", "type", change.TYPE),
        *("node", NODE, "src", "store-1", "epoch", "e", "body", change.model_dump_json()),
    )


async def test_slow_reader_hears_all_from_the_beginning_of_its_block(
    buses: Buses, redis_server: RedisServer
) -> None:
    """What happens after the block began is heard, however late it is read."""
    bus = await buses.opened()
    publish(redis_server, 1)

    async with subscribe(bus) as events:
        for revision in range(2, 202):
            publish(redis_server, revision)
        async with asyncio.timeout(10):
            heard = [await anext(events) for _ in range(2 * 200)]  # each is a removal as well

    revisions = [e.position.revision for e in heard if isinstance(e, EventEnable)]
    assert revisions == list(range(2, 202))


async def test_subscription_goes_on_where_another_ended(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Between two subscriptions nothing is lost, when the second begins at a position."""
    bus = await buses.opened()
    for revision in range(1, 4):
        publish(redis_server, revision)

    async with subscribe(bus, after=Position(epoch="e", revision=2)) as events:
        async with asyncio.timeout(10):
            first = await anext(events)

    assert not isinstance(first, Missed)
    assert first.position.revision == 3


async def test_what_redis_lost_is_a_gap(buses: Buses, redis_server: RedisServer) -> None:
    """A reader hears that Redis lost its data, and then what comes."""
    bus = await buses.opened()
    publish(redis_server, 1)

    async with subscribe(bus) as events, asyncio.timeout(10):
        redis_server.flushall()
        assert isinstance(await anext(events), Missed)
        publish(redis_server, 2)
        while isinstance(event := await anext(events), Missed):
            pass

    assert event.position.revision == 2


async def test_end_of_the_block_leaves_no_connection(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A subscription that is ended while it waits takes its connection with it."""
    bus = await buses.opened()
    before = redis_server.command("CLIENT", "LIST").count("\n")
    async with subscribe(bus) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    await eventually(lambda: redis_server.command("CLIENT", "LIST").count("\n") == before)
