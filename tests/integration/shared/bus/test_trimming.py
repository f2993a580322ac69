"""What leaves a changes stream, and what stays, on a real Redis."""

from __future__ import annotations

import time

import pytest

from shared.bus import names
from shared.bus.redis_bus import RedisBus
from tests.integration.shared.bus.test_relay import Outbox, ids, relaying
from tests.support.buses import NODE, Buses, Note
from tests.support.redis import RedisServer
from tests.support.wait import eventually

STREAM = names.changes(NODE, "desk")
_ROWS = 2000
_KEPT = 100


async def _published(
    buses: Buses, redis_server: RedisServer, readers: tuple[str, ...], outbox: Outbox
) -> None:
    desk = await buses.opened("desk")
    async with relaying(desk, outbox, readers=readers, kept=_KEPT):
        last = f"{len(outbox.rows)}-0"
        await eventually(lambda: ids(redis_server)[-1:] == [last])


def _group(redis_server: RedisServer, name: str) -> None:
    redis_server.command("XGROUP", "CREATE", STREAM, name, "0", "MKSTREAM")


def _read(redis_server: RedisServer, group: str, count: int) -> None:
    head = ("XREADGROUP", "GROUP", group, group, "COUNT", str(count))
    redis_server.command(*head, "STREAMS", STREAM, ">")


def _settle(redis_server: RedisServer, group: str, count: int) -> None:
    _read(redis_server, group, count)
    read = [f"{number}-0" for number in range(1, count + 1)]
    redis_server.command("XACK", STREAM, group, *read)


async def test_what_all_have_settled_goes_but_for_the_newest(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Those who follow without a group find the newest rows, and few before them."""
    outbox = Outbox(_ROWS)
    _group(redis_server, "reader")
    await _published(buses, redis_server, ("reader",), outbox)
    _settle(redis_server, "reader", _ROWS)
    outbox.add(_ROWS)
    await _published(buses, redis_server, ("reader",), outbox)

    oldest = int(ids(redis_server)[0].removesuffix("-0"))
    assert _ROWS - 2 * _KEPT < oldest <= _ROWS


async def test_what_a_reader_has_not_settled_stays(buses: Buses, redis_server: RedisServer) -> None:
    """A slow reader finds all it did not settle, read or not, however far the other is."""
    outbox = Outbox(_ROWS // 2)
    for group in ("fast", "slow"):
        _group(redis_server, group)
    await _published(buses, redis_server, ("fast", "slow"), outbox)
    _settle(redis_server, "fast", _ROWS // 2)
    _settle(redis_server, "slow", 700)
    _read(redis_server, "slow", 50)

    outbox.add(_ROWS // 2)
    await _published(buses, redis_server, ("fast", "slow"), outbox)

    oldest = int(ids(redis_server)[0].removesuffix("-0"))
    assert 1 < oldest <= 701


async def test_nothing_leaves_before_each_reader_has_been_there(
    buses: Buses, redis_server: RedisServer
) -> None:
    """A reader whose group is not made yet, as after a loss of Redis' data, misses nothing."""
    outbox = Outbox(_ROWS)
    _group(redis_server, "early")
    await _published(buses, redis_server, ("early", "late"), outbox)
    _settle(redis_server, "early", _ROWS)
    outbox.add(300)
    await _published(buses, redis_server, ("early", "late"), outbox)

    assert len(ids(redis_server)) == _ROWS + 300


@pytest.mark.parametrize(("age_s", "left"), [(120, 44), (0, 300)], ids=["a minute on", "just now"])
async def test_published_facts_that_are_settled_go_after_a_while(
    redis_server: RedisServer, age_s: int, left: int
) -> None:
    """What was published as it happened is kept a minute longer than its reader needs it."""
    bus = RedisBus(
        url=redis_server.url,
        node=NODE,
        service="desk",
        clock_ns=lambda: time.time_ns() + age_s * 10**9,
    )
    bus.read_by(("reader",))
    await bus.open()
    try:
        for number in range(255):
            await bus.publish(Note(number=number))
        _group(redis_server, "reader")
        head = ("XREADGROUP", "GROUP", "reader", "reader", "NOACK", "COUNT", "255")
        redis_server.command(*head, "STREAMS", STREAM, ">")
        for number in range(45):
            await bus.publish(Note(number=number))
    finally:
        await bus.close()

    assert left <= int(redis_server.command("XLEN", STREAM)) <= left + 100


async def test_at_rest_only_a_few_stay(buses: Buses, redis_server: RedisServer) -> None:
    """Where nothing happens any more even the newest go, but for a few; numbers go on."""
    outbox = Outbox(200)
    _group(redis_server, "reader")
    desk = await buses.opened("desk")
    async with relaying(desk, outbox, readers=("reader",), rest_s=0.2) as relay:
        await eventually(lambda: ids(redis_server)[-1:] == ["200-0"])
        _settle(redis_server, "reader", 200)
        outbox.add(1)
        relay.wake()
        await eventually(lambda: len(ids(redis_server)) < 100 and "201-0" in ids(redis_server))
        # The next number follows, though most before it are gone.
        outbox.add(1)
        relay.wake()
        await eventually(lambda: ids(redis_server)[-2:] == ["201-0", "202-0"])
