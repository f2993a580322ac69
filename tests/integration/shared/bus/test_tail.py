"""Tails on a real Redis: what replicas are fed by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from shared.bus import names
from shared.bus.redis_bus import RedisBus
from shared.bus.tail import Gap
from tests.support.buses import NODE, Buses, Note
from tests.support.redis import RedisServer
from tests.support.wait import eventually

STREAM = names.changes(NODE, "desk")


class Replica:
    """What a tail yielded: numbers, and the reasons of gaps."""

    def __init__(self) -> None:
        self.items: list[int | str] = []

    async def follow(self, bus: RedisBus, after: str) -> None:
        """Take in the tail until cancelled."""
        async for item in bus.tail("desk", after=after):
            if isinstance(item, Gap):
                self.items.append(item.reason)
            else:
                self.items.append(item[0].read(Note).number)


@asynccontextmanager
async def replica(bus: RedisBus, after: str = "0") -> AsyncIterator[Replica]:
    made = Replica()
    task = asyncio.create_task(made.follow(bus, after))
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def publish(bus: RedisBus, *numbers: int) -> None:
    for number in numbers:
        await bus.publish(Note(number=number))


def add(server: RedisServer, number: int, *, epoch: str = "e1") -> None:
    server.command(
        *("XADD", STREAM, f"{number}-0", "id", f"m-{number}", "type", Note.TYPE),
        *("epoch", epoch, "body", f'{{"number":{number}}}'),
    )


async def test_a_tail_yields_what_is_there_and_what_comes(buses: Buses) -> None:
    """From the beginning, in order, without a group."""
    gateway, desk = await buses.opened(), await buses.opened("desk")
    await publish(desk, 1, 2)
    async with replica(gateway) as made:
        await publish(desk, 3)
        await eventually(lambda: made.items == [1, 2, 3])


async def test_a_tail_begins_after_its_cursor(buses: Buses, redis_server: RedisServer) -> None:
    """A replica that has a snapshot gets what came after it."""
    gateway = await buses.opened()
    for number in (1, 2, 3):
        add(redis_server, number)
    async with replica(gateway, after="2-0") as made:
        await eventually(lambda: made.items == [3])


async def test_a_tail_may_be_ahead_of_the_stream(buses: Buses, redis_server: RedisServer) -> None:
    """A snapshot is newer than what was relayed so far: no gap, and nothing old is yielded."""
    gateway = await buses.opened()
    add(redis_server, 1)
    async with replica(gateway, after="3-0") as made:
        await eventually(lambda: "cmd=xread" in redis_server.command("CLIENT", "LIST"))
        for number in (2, 3, 4):
            add(redis_server, number)
        await eventually(lambda: made.items == [4])


async def test_a_tail_from_the_end_begins_with_a_gap(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The gap says when to take the first snapshot; nothing after it is missed."""
    gateway = await buses.opened()
    add(redis_server, 1)
    async with replica(gateway, after="$") as made:
        await eventually(lambda: made.items == ["start"])
        add(redis_server, 2)
        await eventually(lambda: made.items == ["start", 2])


async def test_a_tail_survives_a_restart_of_redis(buses: Buses, redis_server: RedisServer) -> None:
    """Nothing is missed, nothing is doubled, and there is no gap."""
    gateway = await buses.opened()
    async with replica(gateway) as made:
        add(redis_server, 1)
        await eventually(lambda: made.items == [1])
        redis_server.kill()
        await eventually(lambda: not gateway.server.is_up())
        redis_server.start()
        add(redis_server, 2)
        await eventually(lambda: made.items == [1, 2])


async def test_a_flush_is_a_gap(buses: Buses, redis_server: RedisServer) -> None:
    """The reader is told, and then gets what comes."""
    gateway = await buses.opened()
    async with replica(gateway) as made:
        add(redis_server, 1)
        await eventually(lambda: made.items == [1])
        redis_server.flushall()
        await eventually(lambda: made.items[1:] == ["the message bus lost its data"])
        add(redis_server, 1)
        await eventually(lambda: made.items[2:] == [1])


async def test_a_deleted_stream_is_a_gap(buses: Buses, redis_server: RedisServer) -> None:
    """Its ids begin again, so the cursor means nothing any more."""
    gateway = await buses.opened()
    async with replica(gateway) as made:
        for number in (1, 2, 3):
            add(redis_server, number)
        await eventually(lambda: made.items == [1, 2, 3])
        redis_server.command("DEL", STREAM)
        add(redis_server, 1, epoch="e2")
        await eventually(lambda: made.items[3:] == ["the stream began anew"])
        add(redis_server, 2, epoch="e2")
        await eventually(lambda: made.items[4:] == [2])


async def test_another_epoch_is_a_gap_even_when_the_ids_fit(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A replaced database that is already further on than the old one is found out."""
    gateway = await buses.opened()
    async with replica(gateway) as made:
        add(redis_server, 1)
        await eventually(lambda: made.items == [1])
        add(redis_server, 2, epoch="e2")
        await eventually(lambda: made.items[1:] == ["its owner has another database", 2])


async def test_a_stream_trimmed_past_the_cursor_is_a_gap(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A reader that was away too long is told that it missed some."""
    gateway = await buses.opened()
    for number in range(1, 6):
        add(redis_server, number)
    redis_server.command("XTRIM", STREAM, "MAXLEN", "=", "2")
    async with replica(gateway, after="1-0") as made:
        await eventually(lambda: made.items == ["the stream was trimmed"])
        add(redis_server, 6)
        await eventually(lambda: made.items[1:] == [6])


async def test_an_unreadable_entry_is_a_gap(buses: Buses, redis_server: RedisServer) -> None:
    """A replica cannot know what it said."""
    gateway = await buses.opened()
    async with replica(gateway) as made:
        redis_server.command("XADD", STREAM, "1-0", "rubbish", "1")
        add(redis_server, 2)
        await eventually(lambda: made.items == ["an entry cannot be read", 2])
