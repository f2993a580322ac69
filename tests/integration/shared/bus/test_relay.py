"""The outbox relay on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from shared.bus import names
from shared.bus.ports import Delivery
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.message import Message
from tests.support.buses import NODE, Buses, Note
from tests.support.redis import RedisServer
from tests.support.wait import eventually

STREAM = names.changes(NODE, "desk")
EPOCH_KEY = names.epoch(NODE, "desk")


class Outbox:
    """Rows of an outbox, numbered from 1."""

    def __init__(self, count: int = 0) -> None:
        self.rows: list[tuple[int, Message]] = []
        self.add(count)

    def add(self, count: int) -> None:
        """Commit *count* rows."""
        for _ in range(count):
            number = len(self.rows) + 1
            self.rows.append((number, Note(number=number)))

    async def read_after(self, number: int, limit: int) -> Sequence[tuple[int, Message]]:
        """Return rows beyond a number."""
        return [row for row in self.rows if row[0] > number][:limit]

    async def last_number(self) -> int:
        """Return the last row's number."""
        return self.rows[-1][0] if self.rows else 0


@asynccontextmanager
async def relaying(
    bus: RedisBus,
    outbox: Outbox,
    epoch: str = "e1",
    *,
    readers: tuple[str, ...] = (),
    kept: int = 1024,
    rest_s: float = 60.0,
) -> AsyncIterator[Relay]:
    relay = Relay(
        bus=bus,
        epoch=epoch,
        read_after=outbox.read_after,
        last_number=outbox.last_number,
        readers=readers,
        kept=kept,
        rest_s=rest_s,
    )
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ids(server: RedisServer) -> list[str]:
    lines = server.command("XRANGE", STREAM, "-", "+").splitlines()
    return [line for line in lines if line.endswith("-0") and line[0].isdigit()]


def numbered(first: int, last: int) -> list[str]:
    return [f"{number}-0" for number in range(first, last + 1)]


async def test_rows_are_published_under_their_numbers(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Old rows and new ones are in the stream, in order, each with the epoch."""
    outbox = Outbox(600)
    desk = await buses.opened("desk")
    async with relaying(desk, outbox) as relay:
        await eventually(lambda: redis_server.command("XLEN", STREAM) == "600")
        outbox.add(3)
        relay.wake()
        await eventually(lambda: redis_server.command("XLEN", STREAM) == "603")

    assert ids(redis_server) == numbered(1, 603)
    entry = redis_server.command("XRANGE", STREAM, "5-0", "5-0").splitlines()
    assert entry[entry.index("epoch") + 1] == "e1"
    assert entry[entry.index("id") + 1] == "e1-5"
    assert redis_server.command("GET", EPOCH_KEY) == "e1"


class Busy(Outbox):
    """An outbox that gets a row behind each of the first reads."""

    def __init__(self) -> None:
        super().__init__(1)
        self.reads: list[int] = []
        self.wake: Callable[[], None] | None = None

    async def read_after(self, number: int, limit: int) -> Sequence[tuple[int, Message]]:
        """Return rows beyond a number, then commit another."""
        rows = await super().read_after(number, limit)
        self.reads.append(number)
        if self.wake and len(self.reads) < 3:
            self.add(1)
            self.wake()
        return rows


async def test_what_is_committed_behind_a_read_is_published(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A commit costs one read, and one that comes while rows are published is not passed over."""
    outbox = Busy()
    desk = await buses.opened("desk")
    async with relaying(desk, outbox) as relay:
        outbox.wake = relay.wake
        await eventually(lambda: redis_server.command("XLEN", STREAM) == "3")

    assert ids(redis_server) == numbered(1, 3)
    assert outbox.reads == [0, 1, 2]


async def test_a_new_relay_goes_on_where_the_stream_ends(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Nothing is doubled, whatever the process before it knew when it died."""
    outbox = Outbox(5)
    desk = await buses.opened("desk")
    async with relaying(desk, outbox):
        await eventually(lambda: len(ids(redis_server)) == 5)
    outbox.add(2)
    async with relaying(desk, outbox), relaying(desk, outbox):
        await eventually(lambda: len(ids(redis_server)) == 7)

    assert ids(redis_server) == numbered(1, 7)


async def test_a_flushed_redis_is_filled_again(buses: Buses, redis_server: RedisServer) -> None:
    """Everything kept is published again without a commit to wake the relay."""
    outbox = Outbox(10)
    desk = await buses.opened("desk")
    async with relaying(desk, outbox):
        await eventually(lambda: len(ids(redis_server)) == 10)
        redis_server.flushall()
        await eventually(lambda: len(ids(redis_server)) == 10)

    assert ids(redis_server) == numbered(1, 10)


async def test_a_commit_right_after_a_flush_leaves_no_hole(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The row that came first into the emptied stream does not shut out those before it."""
    outbox = Outbox(10)
    desk = await buses.opened("desk", block_s=0.4)
    async with relaying(desk, outbox) as relay:
        await eventually(lambda: len(ids(redis_server)) == 10)
        redis_server.flushall()
        outbox.add(1)
        relay.wake()
        await eventually(lambda: len(ids(redis_server)) == 11)

    assert ids(redis_server) == numbered(1, 11)


async def test_only_kept_rows_are_filled_in(buses: Buses, redis_server: RedisServer) -> None:
    """An outbox that dropped old rows fills from its oldest."""
    outbox = Outbox(10)
    desk = await buses.opened("desk")
    async with relaying(desk, outbox):
        await eventually(lambda: len(ids(redis_server)) == 10)
        del outbox.rows[:6]
        redis_server.flushall()
        await eventually(lambda: ids(redis_server) == numbered(7, 10))


async def test_a_replaced_database_starts_a_new_stream(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Another epoch: what the old database said is deleted first."""
    desk = await buses.opened("desk")
    async with relaying(desk, Outbox(10), "e1"):
        await eventually(lambda: len(ids(redis_server)) == 10)
    async with relaying(desk, Outbox(3), "e2"):
        await eventually(lambda: ids(redis_server) == numbered(1, 3))

    assert "e1" not in redis_server.command("XRANGE", STREAM, "-", "+").splitlines()
    assert redis_server.command("GET", EPOCH_KEY) == "e2"


async def test_a_database_restored_from_an_older_copy_starts_a_new_stream(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The stream is ahead of the outbox, so its numbers would be used twice: it is deleted."""
    desk = await buses.opened("desk")
    async with relaying(desk, Outbox(10)):
        await eventually(lambda: len(ids(redis_server)) == 10)
    async with relaying(desk, Outbox(4)):
        await eventually(lambda: ids(redis_server) == numbered(1, 4))


async def test_redis_that_forgot_its_last_entries_gets_them_again(
    buses: Buses, redis_server: RedisServer
) -> None:
    """After a crash that lost what was not on disk, the relay reads its cursor anew."""
    outbox = Outbox(5)
    desk = await buses.opened("desk")
    async with relaying(desk, outbox):
        await eventually(lambda: len(ids(redis_server)) == 5)
        redis_server.command("CONFIG", "SET", "appendonly", "no")
        outbox.add(3)
        redis_server.restart()
        await eventually(lambda: ids(redis_server) == numbered(1, 8))


async def test_a_restart_of_redis_leaves_no_hole(buses: Buses, redis_server: RedisServer) -> None:
    """Rows that were committed while Redis was away follow in order."""
    outbox = Outbox(2)
    desk = await buses.opened("desk")
    async with relaying(desk, outbox) as relay:
        await eventually(lambda: len(ids(redis_server)) == 2)
        redis_server.kill()
        outbox.add(2)
        relay.wake()
        await eventually(lambda: not desk.server.is_up())
        redis_server.start()
        await eventually(lambda: ids(redis_server) == numbered(1, 4))


async def test_consumers_follow_through_a_new_stream(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A durable consumer gets all of the new database's facts."""
    seen: list[int] = []

    async def handle(note: Note, _arrival: Delivery) -> None:
        seen.append(note.number)

    event = await buses.opened("event")
    event.subscribe("desk", {Note: handle})
    desk = await buses.opened("desk")
    async with relaying(desk, Outbox(5), "e1"):
        await eventually(lambda: seen == [1, 2, 3, 4, 5])
    seen.clear()
    async with relaying(desk, Outbox(2), "e2"):
        await eventually(lambda: seen == [1, 2])
