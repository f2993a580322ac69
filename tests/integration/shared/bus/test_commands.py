"""Commands and their replies on a real Redis."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from structlog.testing import capture_logs

from shared import errdefs
from shared.bus import names
from shared.bus.ports import Delivery
from shared.contracts.health import Check, CheckHealth
from tests.support.buses import NODE, Answer, Ask, Buses, Note, Other
from tests.support.redis import RedisServer
from tests.support.wait import all_have_run, eventually

STREAM = names.commands(NODE, "desk")
DEAD = names.dead(STREAM)


async def echo(command: Ask, _arrival: Delivery) -> Answer:
    return Answer(text=command.text)


def pending(server: RedisServer) -> int:
    return int(server.command("XPENDING", STREAM, "desk").splitlines()[0])


async def test_a_command_is_answered(buses: Buses) -> None:
    """The owner's reply reaches the sender, and the handler learns who asked."""
    arrivals: list[Delivery] = []

    async def handle(command: Ask, arrival: Delivery) -> Answer:
        arrivals.append(arrival)
        return Answer(text=command.text.upper())

    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()

    answer = await gateway.send(Ask(text="schön"), timeout_s=5, message_id="m-1")

    assert answer == Answer(text="SCHÖN")
    (arrival,) = arrivals
    assert arrival.message_id == "m-1"
    assert arrival.attempt == 1
    assert arrival.source == gateway.process
    assert arrival.deadline_ns is not None
    assert arrival.deadline_ns > time.time_ns()


async def test_settled_commands_leave_nothing_behind(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Command and reply streams are empty once everything was settled and read."""
    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()
    gateway = await buses.opened()

    await asyncio.gather(*(gateway.send(Ask(text=str(n)), timeout_s=5) for n in range(200)))

    await eventually(lambda: redis_server.command("XLEN", STREAM) == "0")
    replies = names.replies(NODE, "gateway", gateway.process)
    await eventually(lambda: redis_server.command("XLEN", replies) == "0")
    assert int(redis_server.command("TTL", replies)) > 0
    await eventually(lambda: pending(redis_server) == 0)


async def test_a_command_sent_before_its_owner_ever_ran_is_handled(buses: Buses) -> None:
    """The group begins at the stream's first entry."""
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(text="early"), timeout_s=10))
    await gateway.write(("PING",))

    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()

    assert (await asking).text == "early"


async def test_handlers_run_side_by_side_up_to_the_limit(buses: Buses) -> None:
    """With a limit of three, three handlers run at once and never four."""
    running = 0
    most = 0
    gate = asyncio.Event()

    async def handle(command: Ask, _arrival: Delivery) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return Answer(text=command.text)

    desk = buses.make()
    desk.serve({Ask: handle}, concurrency=3)
    await desk.open()
    gateway = await buses.opened()
    asking = [asyncio.create_task(gateway.send(Ask(text=str(n)), timeout_s=10)) for n in range(10)]

    await eventually(lambda: running == 3)
    gate.set()
    answers = await asyncio.gather(*asking)

    assert most == 3
    assert [answer.text for answer in answers] == [str(n) for n in range(10)]


async def test_an_error_of_the_owner_crosses_the_bus(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The sender gets the same class, message and detail, and nothing is buried or tried again."""
    runs = 0

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        nonlocal runs
        runs += 1
        raise errdefs.Unavailable("not now", detail={"plugin": "foo"})

    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()

    with pytest.raises(errdefs.Unavailable, match="not now") as caught:
        await gateway.send(Ask(), timeout_s=5)

    assert caught.value.detail == {"plugin": "foo"}
    await eventually(lambda: redis_server.command("XLEN", STREAM) == "0")
    assert runs == 1
    assert redis_server.command("EXISTS", DEAD) == "0"


async def test_a_fault_is_buried_and_told_in_safe_words(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The sender learns where to look; traceback and message lie in the dead-letter stream."""

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        raise ZeroDivisionError("secret detail")

    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()

    with capture_logs() as logs, pytest.raises(errdefs.Internal) as caught:
        await gateway.send(Ask(text="t"), timeout_s=5, message_id="m-7")

    assert caught.value.message == "internal error in desk (message m-7): see its log"
    buried = redis_server.command("XRANGE", DEAD, "-", "+").splitlines()
    assert "ZeroDivisionError: secret detail" in buried
    assert buried[buried.index("attempt") + 1] == "1"
    assert buried[buried.index("body") + 1] == '{"text":"t"}'
    assert any("in handle" in line for line in buried)
    (line,) = [one for one in logs if one["event"] == "command buried"]
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_a_handler_that_returns_no_message_is_a_fault(buses: Buses) -> None:
    """The sender is answered even when the handler forgot to."""

    async def handle(_command: Ask, _arrival: Delivery) -> None:
        return None

    desk = buses.make()
    desk.serve({Ask: handle})  # type: ignore[dict-item] # the fault that the test is about
    await desk.open()
    gateway = await buses.opened()

    with pytest.raises(errdefs.Internal):
        await gateway.send(Ask(), timeout_s=5)


async def test_an_unknown_type_is_answered_and_buried(
    buses: Buses, redis_server: RedisServer
) -> None:
    """An owner that is older than its sender says so."""
    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()
    gateway = await buses.opened()

    with pytest.raises(errdefs.Unimplemented, match=r"desk\.question\.other\.v1"):
        await gateway.send(Other(), timeout_s=5)

    await eventually(lambda: redis_server.command("XLEN", DEAD) == "1")


async def test_a_bad_body_is_answered_without_its_values_and_buried(
    buses: Buses, redis_server: RedisServer
) -> None:
    """What cannot be parsed is answered by field name; the values may be secrets."""
    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()
    body = '{"text": {"password": "hunter2"}}'
    redis_server.command(
        *("XADD", STREAM, "*", "id", "m", "type", Ask.TYPE, "reply", "r", "corr", "c"),
        *("body", body),
    )

    await eventually(lambda: redis_server.command("XLEN", "r") == "1")
    reply = redis_server.command("XRANGE", "r", "-", "+")
    assert "invalid_argument" in reply
    assert "text: " in reply
    assert "hunter2" not in reply
    await eventually(lambda: redis_server.command("XLEN", DEAD) == "1")


async def test_an_entry_that_is_no_envelope_is_buried(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Rubbish in the stream does not stop the service."""
    redis_server.command("XADD", STREAM, "*", "rubbish", "1")
    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()
    gateway = await buses.opened()

    assert (await gateway.send(Ask(text="on"), timeout_s=5)).text == "on"
    await eventually(lambda: redis_server.command("XLEN", DEAD) == "1")
    await eventually(lambda: redis_server.command("XLEN", STREAM) == "0")


async def test_a_command_past_its_deadline_is_not_run(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Nobody waits any more, so the wish is answered as late and forgotten."""
    runs = 0

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        nonlocal runs
        runs += 1
        return Answer(text="")

    redis_server.command(
        *("XADD", STREAM, "*", "id", "m", "type", Ask.TYPE, "reply", "r", "corr", "c"),
        *("deadline", str(time.time_ns() - 1), "body", "{}"),
    )
    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()

    await eventually(lambda: redis_server.command("XLEN", "r") == "1")
    assert "deadline_exceeded" in redis_server.command("XRANGE", "r", "-", "+")
    assert runs == 0


async def test_a_sender_stops_waiting_at_its_timeout(buses: Buses) -> None:
    """No owner answers, so the sender gets DeadlineExceeded in time."""
    gateway = await buses.opened()
    began = time.monotonic()

    with pytest.raises(errdefs.DeadlineExceeded):
        await gateway.send(Ask(), timeout_s=0.2)

    assert time.monotonic() - began < 5.0


async def test_a_reply_that_nobody_waits_for_is_dropped(buses: Buses) -> None:
    """A late reply harms nobody, and the next one is read."""
    gate = asyncio.Event()

    async def handle(command: Ask, _arrival: Delivery) -> Answer:
        if command.text == "slow":
            await gate.wait()
        return Answer(text=command.text)

    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    with pytest.raises(errdefs.DeadlineExceeded):
        await gateway.send(Ask(text="slow"), timeout_s=0.1)

    with capture_logs() as logs:
        gate.set()
        await eventually(lambda: any("nobody waits" in line["event"] for line in logs))

    assert (await gateway.send(Ask(text="next"), timeout_s=5)).text == "next"


async def test_what_a_killed_service_had_in_hand_is_delivered_again(buses: Buses) -> None:
    """The next process takes up its predecessor's pending commands at once, as second attempts."""
    attempts: list[int] = []
    is_started = asyncio.Event()

    async def hang(_command: Ask, _arrival: Delivery) -> Answer:
        is_started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def handle(_command: Ask, arrival: Delivery) -> Answer:
        attempts.append(arrival.attempt)
        return Answer(text="second")

    first = buses.make(lease_s=30.0)
    first.serve({Ask: hang})
    await first.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(), timeout_s=10))
    await is_started.wait()
    await buses.crash(first)

    second = buses.make(lease_s=30.0)
    second.serve({Ask: handle})
    await second.open()

    assert (await asking).text == "second"
    assert attempts == [2]


async def test_a_command_that_never_settles_is_buried_at_the_cap(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A message that kills its handler each time stops doing so, and its sender is told."""
    redis_server.command("XGROUP", "CREATE", STREAM, "desk", "0", "MKSTREAM")
    redis_server.command(
        *("XADD", STREAM, "*", "id", "m", "type", Ask.TYPE, "reply", "r", "corr", "c"),
        *("body", "{}"),
    )
    redis_server.command("XREADGROUP", "GROUP", "desk", "desk", "STREAMS", STREAM, ">")
    stream_id = redis_server.command("XPENDING", STREAM, "desk", "-", "+", "1").splitlines()[0]
    redis_server.command("XCLAIM", STREAM, "desk", "desk", "0", stream_id, "RETRYCOUNT", "3")
    redis_server.command("XCLAIM", STREAM, "desk", "desk", "0", stream_id, "RETRYCOUNT", "3")
    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()

    await eventually(lambda: redis_server.command("XLEN", DEAD) == "1")
    assert "never settled" in redis_server.command("XRANGE", DEAD, "-", "+")
    assert "internal" in redis_server.command("XRANGE", "r", "-", "+")


async def test_renewal_keeps_an_entry_from_growing_idle(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A command in hand never looks abandoned, and is run once, though its handler outlasts it."""
    gate = asyncio.Event()
    runs = 0

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        nonlocal runs
        runs += 1
        await gate.wait()
        return Answer(text="done")

    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(), timeout_s=10))
    await eventually(lambda: pending(redis_server) == 1)

    idle_ms, deliveries = [0], {"1"}

    def renewals() -> int:
        row = redis_server.command("XPENDING", STREAM, "desk", "-", "+", "1").splitlines()
        idle_ms.append(int(row[2]))
        deliveries.add(row[3])
        return sum(later < earlier for earlier, later in itertools.pairwise(idle_ms))

    await eventually(lambda: renewals() > 9)  # three leases, each renewed three times
    gate.set()
    await asking

    assert max(idle_ms) < 300
    assert deliveries == {"1"}  # renewing is no delivery
    assert runs == 1


async def test_what_another_consumer_abandoned_is_taken_over(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A command that somebody read and left is handled here when its lease is over."""
    gateway = await buses.opened()
    redis_server.command("XGROUP", "CREATE", STREAM, "desk", "0", "MKSTREAM")
    asking = asyncio.create_task(gateway.send(Ask(text="left"), timeout_s=10))
    await eventually(lambda: redis_server.command("XLEN", STREAM) == "1")
    redis_server.command("XREADGROUP", "GROUP", "desk", "someone", "STREAMS", STREAM, ">")

    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()

    assert (await asking).text == "left"


async def test_a_lost_group_is_made_anew(buses: Buses, redis_server: RedisServer) -> None:
    """When an operator destroys the group, commands are handled on."""
    desk = buses.make()
    desk.serve({Ask: echo})
    await desk.open()
    gateway = await buses.opened()
    await gateway.send(Ask(), timeout_s=5)

    redis_server.command("XGROUP", "DESTROY", STREAM, "desk")

    assert (await gateway.send(Ask(text="on"), timeout_s=5)).text == "on"


async def test_a_service_answers_for_its_health(buses: Buses) -> None:
    """The report has the process, the backlog and the checks, and is unhealthy if one fails."""
    gate = asyncio.Event()

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        await gate.wait()
        return Answer(text="")

    async def checks() -> tuple[Check, ...]:
        return (Check(name="runc", ok=False, message="not found"),)

    desk = buses.make()
    desk.serve({Ask: handle}, checks=checks, version="1.2.3")
    await desk.open()
    gateway = await buses.opened()
    asking = [asyncio.create_task(gateway.send(Ask(), timeout_s=10)) for _ in range(2)]
    await asyncio.sleep(0)

    report = await gateway.send(CheckHealth(), owner="desk", timeout_s=5)
    gate.set()
    await asyncio.gather(*asking)

    assert (report.service, report.node, report.version) == ("desk", NODE, "1.2.3")
    assert report.pid > 0
    assert report.started_at_ns <= time.time_ns()
    assert not report.healthy
    assert report.checks[0].name == "runc"
    assert (report.lag, report.pending) == (0, 2)


async def test_close_lets_handlers_finish(buses: Buses, redis_server: RedisServer) -> None:
    """What is in hand is answered and settled before the bus goes, and its reply stream too."""
    is_started, gate = asyncio.Event(), asyncio.Event()

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        is_started.set()
        await gate.wait()
        return Answer(text="finished")

    desk = buses.make()
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(), timeout_s=10))
    await is_started.wait()

    closing = asyncio.create_task(desk.close())
    await all_have_run()
    gate.set()
    await closing

    assert (await asking).text == "finished"
    assert pending(redis_server) == 0
    await gateway.close()
    assert redis_server.command("KEYS", f"wherry:{NODE}:gateway:replies:*") == ""


async def test_close_is_bounded_and_leaves_what_hangs_pending(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A handler that does not end is cancelled; its command is there for the next process."""
    is_started = asyncio.Event()

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        is_started.set()
        await asyncio.Event().wait()
        raise AssertionError

    desk = buses.make(close_s=0.1)
    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(), timeout_s=60))
    await is_started.wait()

    await asyncio.wait_for(desk.close(), 5)

    assert pending(redis_server) == 1
    await gateway.close()
    with pytest.raises(errdefs.Unavailable, match="closed"):
        await asking


async def test_serving_may_begin_after_opening(buses: Buses) -> None:
    """A service that must first look around serves when it is ready."""
    desk = await buses.opened("desk")
    desk.serve({Ask: echo})

    assert (await desk.send(Ask(text="me"), timeout_s=5)).text == "me"


async def test_an_owner_may_be_served_by_another_service(buses: Buses) -> None:
    """Who is named in an owner's place gets its commands, and is heard for its facts."""
    other = buses.make("counter")
    other.serve({Ask: echo})
    await other.open()
    store = buses.make("store", served_by={"desk": "counter"})
    heard: list[int] = []

    async def note(fact: Note, _arrival: Delivery) -> None:
        heard.append(fact.number)

    store.subscribe("desk", {Note: note})
    await store.open()

    assert (await store.send(Ask(text="a"), timeout_s=5)).text == "a"
    await other.publish(Note(number=1))
    await eventually(lambda: heard == [1])
