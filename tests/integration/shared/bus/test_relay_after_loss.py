"""What the readers of a relay's stream see first after Redis lost its data."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from shared.bus import names
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.message import Done, Message
from tests.support.redis import RedisServer


async def test_a_refilled_stream_begins_with_the_oldest_row(redis_server: RedisServer) -> None:
    """A reader that waits at an emptied stream gets row 1 first, whatever is committed next.

    A later row there would tell it, wrongly, that those before were lost for good.
    """
    rows: list[tuple[int, Message]] = [(1, Done()), (2, Done())]

    async def read_after(after: int, limit: int) -> Sequence[tuple[int, Message]]:
        return [row for row in rows if row[0] > after][:limit]

    async def last_number() -> int:
        return rows[-1][0]

    bus = RedisBus(url=redis_server.url, node="n1", service="store")
    relay = Relay(bus=bus, epoch="e1", read_after=read_after, last_number=last_number)
    stream = names.changes("n1", "store")
    async with asyncio.timeout(20), Redis.from_url(redis_server.url) as redis:
        await bus.open()
        relaying = asyncio.create_task(relay.run())
        await redis.xread({stream: "1-0"}, block=10_000)
        await redis.flushall()
        first: asyncio.Future[Any] = asyncio.ensure_future(
            redis.xread({stream: "0-0"}, count=1, block=10_000)
        )
        blocked = 0
        while blocked < 2:  # this reader, and the bus's own of replies
            blocked = int((await redis.info("clients"))["blocked_clients"])
        rows.append((3, Done()))
        relay.wake()

        ((_, [(stream_id, _)]),) = await first
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await bus.close()
    assert stream_id == b"1-0"
