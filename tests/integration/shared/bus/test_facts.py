"""Facts and their durable consumers on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

import pytest
from pydantic import model_validator
from structlog.testing import capture_logs

from shared import errdefs
from shared.bus import names
from shared.bus.ports import Delivery
from shared.bus.redis_bus import RedisBus
from tests.support.buses import NODE, Answer, Buses, Note
from tests.support.redis import RedisServer
from tests.support.wait import all_have_run, eventually

STREAM = names.changes(NODE, "desk")
DEAD = names.dead(STREAM)


class Reader:
    """Notes what it is handed; *errors* are raised first, one a call."""

    def __init__(self, *errors: Exception) -> None:
        self.numbers: list[int] = []
        self.attempts: list[int] = []
        self.errors = list(errors)

    async def handle(self, note: Note, arrival: Delivery) -> None:
        self.attempts.append(arrival.attempt)
        if self.errors:
            raise self.errors.pop(0)
        self.numbers.append(note.number)


class GroupReader(Reader):
    """Handles facts that come together, too; the numbers in *refused* are not handled so."""

    def __init__(self, *errors: Exception, refused: int | None = None) -> None:
        super().__init__(*errors)
        self.sizes: list[int] = []
        self.refused = refused

    async def handle_all(self, arrived: Sequence[tuple[Note, Delivery]]) -> None:
        numbers = [note.number for note, _ in arrived]
        if self.refused in numbers:
            raise errdefs.Conflict("not together")
        self.sizes.append(len(numbers))
        self.numbers += numbers


async def publish(bus: RedisBus, *numbers: int) -> None:
    for number in numbers:
        await bus.publish(Note(number=number))


def pending(server: RedisServer) -> int:
    return int(server.command("XPENDING", STREAM, "event").splitlines()[0])


async def test_facts_arrive_in_order_also_those_from_before(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A consumer that starts later gets everything, once, in order, and settles it."""
    desk = await buses.opened("desk")
    await publish(desk, *range(50))
    reader = Reader()
    event = buses.make("event")
    event.subscribe("desk", {Note: reader.handle})
    await event.open()
    await publish(desk, *range(50, 100))

    await eventually(lambda: len(reader.numbers) == 100)
    assert reader.numbers == list(range(100))
    await eventually(lambda: pending(redis_server) == 0)
    assert redis_server.command("XLEN", STREAM) == "100"


async def test_facts_that_came_together_are_handled_together(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Facts that wait are handed over at once, in order, and all of them are settled."""
    desk = await buses.opened("desk")
    await publish(desk, *range(50))
    reader = GroupReader()
    event = buses.make("event")
    event.subscribe("desk", {Note: reader.handle}, together=reader.handle_all)
    await event.open()

    await eventually(lambda: len(reader.numbers) == 50)
    assert reader.numbers == list(range(50))
    assert reader.sizes == [50]
    await eventually(lambda: pending(redis_server) == 0)


async def test_facts_that_come_within_the_linger_are_handled_together(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Who need not hurry hears of what comes one by one at once, and none of it is left."""
    desk = await buses.opened("desk")
    reader = GroupReader()
    event = buses.make("event")
    event.subscribe("desk", {Note: reader.handle}, together=reader.handle_all, linger_s=2.0)
    await event.open()
    await publish(desk, 1)
    # Before there is a group, Redis answers with an error.
    asked = ("XPENDING", STREAM, "event")
    await eventually(lambda: redis_server.command(*asked).splitlines()[0] == "1")
    await publish(desk, 2)

    await eventually(lambda: reader.sizes == [2])
    assert reader.numbers == [1, 2]
    await eventually(lambda: pending(redis_server) == 0)


async def test_a_fact_that_tells_something_ends_the_linger(
    buses: Buses, redis_server: RedisServer
) -> None:
    """What tells nothing waits for more; what does is handled at once, with what has waited."""
    desk = await buses.opened("desk")
    reader = GroupReader()
    event = buses.make("event")
    event.subscribe(
        "desk",
        {Note: reader.handle},
        together=reader.handle_all,
        linger_s=300.0,
        tells=lambda note: note.number == 3,
    )
    await event.open()
    await publish(desk, 1)
    asked = ("XPENDING", STREAM, "event")
    await eventually(lambda: redis_server.command(*asked).splitlines()[0] == "1")
    assert reader.numbers == []
    await publish(desk, 2, 3)

    await eventually(lambda: reader.numbers == [1, 2, 3])
    await eventually(lambda: pending(redis_server) == 0)


async def test_a_fact_that_may_wait_is_parsed_once(buses: Buses, redis_server: RedisServer) -> None:
    """To look whether it may wait, and with what, costs no parsing beyond that for its handler."""
    parsed: list[int] = []

    class Counted(Note):
        @model_validator(mode="after")
        def _count(self) -> Self:
            parsed.append(self.number)
            return self

    desk = await buses.opened("desk")
    await publish(desk, *range(5))
    reader = GroupReader()
    event = buses.make("event")
    event.subscribe(
        "desk",
        {Counted: reader.handle},
        together=reader.handle_all,
        linger_s=300.0,
        tells=lambda note: note.number in (4, 5),
    )
    await event.open()
    await eventually(lambda: reader.numbers == list(range(5)))
    await publish(desk, 5)

    await eventually(lambda: reader.numbers == list(range(6)))
    assert parsed == list(range(6))


async def test_facts_that_cannot_be_handled_together_are_handled_one_by_one(
    buses: Buses, redis_server: RedisServer
) -> None:
    """One that fails among many is tried alone and buried alone; the others are handled once."""
    desk = await buses.opened("desk")
    await publish(desk, *range(5))
    reader = GroupReader(*(errdefs.Conflict(f"no {n}") for n in range(3)), refused=4)
    event = buses.make("event", delivery_cap=3)
    event.subscribe("desk", {Note: reader.handle}, together=reader.handle_all)
    await event.open()

    await eventually(lambda: reader.numbers == [1, 2, 3, 4])
    await eventually(lambda: redis_server.command("XLEN", DEAD) == "1")
    assert reader.sizes == []


async def test_the_message_id_is_the_publishers(buses: Buses) -> None:
    """A fact's id is stable, so that a handler can tell that it had it."""
    seen: list[str] = []

    async def handle(_note: Note, arrival: Delivery) -> None:
        seen.append(arrival.message_id)

    desk = await buses.opened("desk")
    await desk.publish(Note(number=1), message_id="container-7")
    desk.subscribe("desk", {Note: handle})

    await eventually(lambda: seen == ["container-7"])


async def test_a_fact_without_a_handler_is_passed_over(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Types of no interest are settled at once."""
    reader = Reader()
    desk = await buses.opened("desk")
    await desk.publish(Answer(text="no interest"))
    await publish(desk, 1)
    event = await buses.opened("event")
    event.subscribe("desk", {Note: reader.handle})

    await eventually(lambda: reader.numbers == [1])
    await eventually(lambda: pending(redis_server) == 0)
    assert redis_server.command("EXISTS", DEAD) == "0"


async def test_a_fact_that_fails_is_tried_again_before_the_next(buses: Buses) -> None:
    """Order holds through failures, and the handler is told the attempt."""
    reader = Reader(RuntimeError("once"), RuntimeError("twice"))
    desk = await buses.opened("desk")
    await publish(desk, 1, 2)
    event = await buses.opened("event")
    event.subscribe("desk", {Note: reader.handle})

    await eventually(lambda: reader.numbers == [1, 2])
    assert reader.attempts == [1, 2, 3, 1]


async def test_a_fact_that_keeps_failing_is_buried_and_the_next_handled(
    buses: Buses, redis_server: RedisServer
) -> None:
    """At the cap it goes to the dead-letter stream, with error, group, attempt and traceback."""
    reader = Reader(*(errdefs.Conflict(f"no {n}") for n in range(3)))
    desk = await buses.opened("desk")
    await publish(desk, 1, 2)
    event = await buses.opened("event")
    with capture_logs() as logs:
        event.subscribe("desk", {Note: reader.handle})
        await eventually(lambda: reader.numbers == [2])

    assert [line["log_level"] for line in logs if line["event"] == "fact buried"] == ["error"]
    await eventually(lambda: redis_server.command("XLEN", DEAD) == "1")
    buried = redis_server.command("XRANGE", DEAD, "-", "+").splitlines()
    assert buried[buried.index("error") + 1] == "Conflict: no 2"
    assert buried[buried.index("group") + 1] == "event"
    assert buried[buried.index("attempt") + 1] == "3"
    assert buried[buried.index("body") + 1] == '{"number":1}'


async def test_what_is_down_may_stay_down(buses: Buses, redis_server: RedisServer) -> None:
    """Unavailable is tried on without counting: nothing is buried because a neighbour is away."""
    reader = Reader(*(errdefs.Unavailable("away") for _ in range(10)))
    desk = await buses.opened("desk")
    await publish(desk, 1)
    event = await buses.opened("event")
    event.subscribe("desk", {Note: reader.handle})

    await eventually(lambda: reader.numbers == [1])
    assert reader.attempts == [1] * 11
    assert redis_server.command("EXISTS", DEAD) == "0"


async def test_an_unreadable_fact_is_buried(buses: Buses, redis_server: RedisServer) -> None:
    """Rubbish and bad bodies do not hold up what follows."""
    redis_server.command("XADD", STREAM, "*", "rubbish", "1")
    redis_server.command("XADD", STREAM, "*", "id", "1", "type", Note.TYPE, "body", "{")
    reader = Reader()
    event = await buses.opened("event")
    event.subscribe("desk", {Note: reader.handle})
    desk = await buses.opened("desk")
    await publish(desk, 3)

    await eventually(lambda: reader.numbers == [3])
    await eventually(lambda: redis_server.command("XLEN", DEAD) == "2")


async def test_a_killed_consumer_takes_up_where_it_was(buses: Buses) -> None:
    """What was read and not settled comes first, in order, then what is new."""
    is_started = asyncio.Event()

    async def hang(_note: Note, _arrival: Delivery) -> None:
        is_started.set()
        await asyncio.Event().wait()

    desk = await buses.opened("desk")
    await publish(desk, 1, 2, 3)
    first = await buses.opened("event")
    first.subscribe("desk", {Note: hang})
    await is_started.wait()
    await buses.crash(first)
    await publish(desk, 4)

    reader = Reader()
    second = await buses.opened("event")
    second.subscribe("desk", {Note: reader.handle})

    await eventually(lambda: len(reader.numbers) == 4)
    assert reader.numbers == [1, 2, 3, 4]


async def test_close_waits_for_the_fact_in_hand_only(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The rest of what was read stays for the next process."""
    is_started, may_end = asyncio.Event(), asyncio.Event()
    handled: list[int] = []

    async def handle(note: Note, _arrival: Delivery) -> None:
        is_started.set()
        await may_end.wait()
        handled.append(note.number)

    desk = await buses.opened("desk")
    await publish(desk, 1, 2, 3)
    event = await buses.opened("event")
    event.subscribe("desk", {Note: handle})
    await is_started.wait()

    closing = asyncio.create_task(event.close())
    await all_have_run()
    may_end.set()
    await closing

    assert handled == [1]
    assert pending(redis_server) == 2


async def test_close_does_not_wait_for_a_back_off(buses: Buses, redis_server: RedisServer) -> None:
    """A fact that is waiting to be tried again is left for the next process at once."""
    reader = Reader(*(errdefs.Unavailable("away") for _ in range(100)))
    desk = await buses.opened("desk")
    await publish(desk, 1)
    event = await buses.opened("event", retry_base_s=30.0, retry_cap_s=60.0)
    event.subscribe("desk", {Note: reader.handle})
    await eventually(lambda: reader.attempts)

    await asyncio.wait_for(event.close(), 10)

    assert pending(redis_server) == 1


async def test_close_without_redis_is_bounded(buses: Buses, redis_server: RedisServer) -> None:
    """A consumer that can neither read nor settle is closed in time."""
    is_started = asyncio.Event()
    gate = asyncio.Event()

    async def handle(_note: Note, _arrival: Delivery) -> None:
        is_started.set()
        await gate.wait()

    desk = await buses.opened("desk")
    await publish(desk, 1, 2)
    event = await buses.opened("event", close_s=0.2)
    event.subscribe("desk", {Note: handle})
    await is_started.wait()
    redis_server.kill()
    gate.set()

    await asyncio.wait_for(event.close(), 10)


async def test_an_idle_consumer_closes_at_once(buses: Buses) -> None:
    """Closing does not wait for a read to time out."""
    reader = Reader()
    desk = await buses.opened("desk")
    await publish(desk, 1)
    event = await buses.opened("event", group_block_s=30.0, answer_s=30.0, close_s=30.0)
    event.subscribe("desk", {Note: reader.handle})
    await eventually(lambda: reader.numbers)

    await asyncio.wait_for(event.close(), 10)


async def test_facts_go_on_after_restart_and_flush(buses: Buses, redis_server: RedisServer) -> None:
    """A consumer gets what is published after Redis restarted, or lost everything."""
    reader = Reader()
    desk = await buses.opened("desk")
    event = await buses.opened("event")
    event.subscribe("desk", {Note: reader.handle})
    await publish(desk, 1)
    await eventually(lambda: reader.numbers == [1])

    await asyncio.to_thread(redis_server.restart)
    assert await desk.wait_connected(5)
    await publish(desk, 2)
    await eventually(lambda: reader.numbers == [1, 2])
    redis_server.flushall()
    await publish(desk, 3)

    await eventually(lambda: reader.numbers == [1, 2, 3])


async def test_publishing_without_redis_is_unavailable(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The publisher is told soon, so that it can keep the fact."""
    desk = await buses.opened("desk")
    redis_server.stop()
    await eventually(lambda: not desk.server.is_up())

    with pytest.raises(errdefs.Unavailable, match="nothing was sent"):
        await publish(desk, 1)
