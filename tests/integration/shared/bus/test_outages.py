"""What Redis may do to the bus: be late, go, come back, freeze, refuse, forget."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from shared import errdefs
from shared.bus import names
from shared.bus.ports import Delivery
from tests.support.buses import NODE, Answer, Ask, Buses
from tests.support.redis import RedisServer
from tests.support.wait import all_have_run, eventually

STREAM = names.commands(NODE, "desk")


class Desk:
    """An owner whose handlers wait at a gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.runs: list[str] = []

    async def handle(self, command: Ask, _arrival: Delivery) -> Answer:
        self.runs.append(command.text)
        await self.gate.wait()
        return Answer(text=command.text)


async def test_a_bus_opens_before_redis_does(buses: Buses, redis_server: RedisServer) -> None:
    """Opening returns at once, and everything works when Redis has come."""
    redis_server.stop()
    desk = Desk()
    desk.gate.set()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    gateway = buses.make("gateway")
    await owner.open()
    await gateway.open()
    assert not await gateway.wait_connected(0.2)

    redis_server.start()

    assert await gateway.wait_connected(5)
    assert (await gateway.send(Ask(text="a"), timeout_s=5)).text == "a"


async def test_without_redis_a_send_ends_soon_and_says_that_nothing_was_sent(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A caller with a long timeout is not kept for it."""
    gateway = await buses.opened()
    redis_server.stop()
    await eventually(lambda: not gateway.server.is_up())
    began = time.monotonic()

    with pytest.raises(errdefs.Unavailable, match="nothing was sent"):
        await gateway.send(Ask(), timeout_s=30)

    assert time.monotonic() - began < 15.0
    redis_server.start()
    await eventually(gateway.server.is_up)
    await gateway.write(("PING",))  # whatever was waiting goes out before it
    assert redis_server.command("EXISTS", STREAM) == "0"


async def test_what_is_sent_during_a_short_outage_goes_out_after_it(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A send waits a little for Redis to come back."""
    desk = Desk()
    desk.gate.set()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened(patience_s=5.0)
    await gateway.send(Ask(text="before"), timeout_s=5)
    redis_server.stop()
    await eventually(lambda: not gateway.server.is_up())
    asking = asyncio.create_task(gateway.send(Ask(text="during"), timeout_s=10))
    await all_have_run()

    redis_server.start()

    assert (await asking).text == "during"
    assert desk.runs == ["before", "during"]


async def test_a_restart_of_redis_under_a_request_is_not_noticed(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The handler runs once, its reply waits for Redis, and the sender gets it."""
    desk = Desk()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(text="a"), timeout_s=10))
    await eventually(lambda: desk.runs)

    redis_server.kill()
    desk.gate.set()
    await eventually(lambda: not owner.server.is_up())
    redis_server.start()

    assert (await asking).text == "a"
    await eventually(lambda: redis_server.command("XLEN", STREAM) == "0")
    assert desk.runs == ["a"]


async def test_a_command_in_hand_is_not_handled_twice_after_reconnection(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The pending list is read again at reconnection, and what is in hand is left alone."""
    desk = Desk()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened()
    asking = [asyncio.create_task(gateway.send(Ask(text=str(n)), timeout_s=10)) for n in range(20)]
    await eventually(lambda: len(desk.runs) == 20)

    for n in range(20, 23):
        redis_server.restart()
        assert await owner.wait_connected(5)
        # A command that is new is read after those that were pending.
        asking.append(asyncio.create_task(gateway.send(Ask(text=str(n)), timeout_s=10)))
        await eventually(lambda: len(desk.runs) == len(asking))
    desk.gate.set()
    await asyncio.gather(*asking)

    assert sorted(desk.runs, key=int) == [str(n) for n in range(23)]


async def test_an_outage_is_logged_once(buses: Buses, redis_server: RedisServer) -> None:
    """One line when Redis goes and one when it is back, however often was tried between."""
    await buses.opened()

    with capture_logs() as logs:
        redis_server.stop()
        await eventually(lambda: [line["log_level"] for line in logs].count("debug") >= 5)
        redis_server.start()
        await eventually(lambda: any(line["event"] == "message bus is back" for line in logs))

    loud = [line["event"] for line in logs if line["log_level"] != "debug"]
    assert loud == ["message bus does not answer, trying on", "message bus is back"]


async def test_callbacks_run_at_each_connection(buses: Buses, redis_server: RedisServer) -> None:
    """They run at the first connection and after each outage, and may use the bus."""
    desk = Desk()
    desk.gate.set()
    heard: list[str] = []
    owner = buses.make()
    owner.serve({Ask: desk.handle})

    async def look() -> None:
        heard.append((await owner.send(Ask(text="list"), timeout_s=5)).text)

    owner.on_reconnect(look)
    await owner.open()
    await eventually(lambda: len(heard) == 1)
    redis_server.restart()
    await eventually(lambda: len(heard) == 2)
    redis_server.flushall()
    await eventually(lambda: len(heard) == 3)


async def test_a_callback_that_fails_does_not_stop_the_others(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A fault in one is logged, and the next runs, now and at the next connection."""
    heard: list[int] = []

    async def fail() -> None:
        raise RuntimeError("mine")

    async def hear() -> None:
        heard.append(1)

    bus = buses.make()
    bus.on_reconnect(fail)
    bus.on_reconnect(hear)
    await bus.open()
    await eventually(lambda: len(heard) == 1)
    redis_server.restart()

    await eventually(lambda: len(heard) == 2)


async def test_flushall_ends_requests_in_flight_quickly(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Their senders learn that it may have happened; new requests work at once."""
    desk = Desk()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(text="lost"), timeout_s=60))
    await eventually(lambda: desk.runs)
    began = time.monotonic()

    redis_server.flushall()
    asking_anew = asyncio.create_task(gateway.send(Ask(text="new"), timeout_s=10))
    with pytest.raises(errdefs.Unavailable, match=r"lost its data while desk\.question\.ask"):
        await asking

    assert time.monotonic() - began < 8.0
    desk.gate.set()
    assert (await asking_anew).text == "new"


async def test_flushall_again_and_again(buses: Buses, redis_server: RedisServer) -> None:
    """Every request that begins after a flush is answered, each time."""
    desk = Desk()
    desk.gate.set()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened()

    for n in range(5):
        redis_server.flushall()
        assert (await gateway.send(Ask(text=str(n)), timeout_s=5)).text == str(n)


async def test_an_idle_process_sees_a_flush(buses: Buses, redis_server: RedisServer) -> None:
    """A sender that only waits is told within a look or two, though nothing else is sent."""
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(), timeout_s=60))
    await eventually(lambda: redis_server.command("XLEN", STREAM) == "1")

    redis_server.flushall()

    with pytest.raises(errdefs.Unavailable):
        await asyncio.wait_for(asking, 8.0)


async def test_a_frozen_redis_ends_a_send_at_its_timeout(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Nothing hangs when connections stay open and nothing is answered."""
    gateway = await buses.opened()
    redis_server.pause()
    began = time.monotonic()

    with pytest.raises(errdefs.Unavailable, match="may or may not have happened"):
        await gateway.send(Ask(), timeout_s=0.3)

    assert time.monotonic() - began < 5.0
    redis_server.resume()


async def test_a_bus_recovers_from_a_frozen_redis(buses: Buses, redis_server: RedisServer) -> None:
    """Connections that were given up are made anew when Redis thaws."""
    desk = Desk()
    desk.gate.set()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened()
    redis_server.pause()
    with pytest.raises(errdefs.Unavailable):
        await gateway.send(Ask(), timeout_s=5)  # this is when a connection is given up
    redis_server.resume()

    await eventually(gateway.server.is_up)
    assert (await gateway.send(Ask(text="on"), timeout_s=5)).text == "on"


async def test_a_command_whose_fate_is_unknown_is_not_sent_again(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Redis took the command but could not say so: the sender is told, and it lies there once."""
    gateway = await buses.opened()
    redis_server.pause()
    with pytest.raises(errdefs.Unavailable, match="may or may not have happened"):
        await gateway.send(Ask(), timeout_s=10)
    redis_server.resume()

    await eventually(gateway.server.is_up)
    await gateway.write(("PING",))
    assert redis_server.command("XLEN", STREAM) == "1"


async def test_a_full_redis_refuses_and_the_sender_is_told(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Out of memory is Unavailable with Redis' own words."""
    gateway = await buses.opened()
    redis_server.command("CONFIG", "SET", "maxmemory", "1")

    with pytest.raises(errdefs.Unavailable, match="refuses"):
        await gateway.send(Ask(), timeout_s=5)

    redis_server.command("CONFIG", "SET", "maxmemory", "0")
    desk = Desk()
    desk.gate.set()
    owner = buses.make()
    owner.serve({Ask: desk.handle})
    await owner.open()
    assert (await gateway.send(Ask(text="on"), timeout_s=5)).text == "on"


async def test_close_without_redis_is_bounded(buses: Buses, redis_server: RedisServer) -> None:
    """A service can be stopped while Redis is away, whatever it had in hand."""
    desk = Desk()
    owner = buses.make(close_s=0.3)
    owner.serve({Ask: desk.handle})
    await owner.open()
    gateway = await buses.opened()
    asking = asyncio.create_task(gateway.send(Ask(), timeout_s=10))
    await eventually(lambda: desk.runs)
    redis_server.kill()
    desk.gate.set()
    began = time.monotonic()

    await asyncio.gather(owner.close(), gateway.close())

    assert time.monotonic() - began < 8.0
    with pytest.raises(errdefs.Unavailable):
        await asking


async def test_a_closed_bus_refuses(buses: Buses) -> None:
    """Sending and publishing after close fail at once."""
    gateway = await buses.opened()
    await gateway.close()

    with pytest.raises(errdefs.Unavailable, match="not open"):
        await gateway.send(Ask(), timeout_s=5)
    with pytest.raises(errdefs.Unavailable, match="not open"):
        await gateway.publish(Answer(text=""))
