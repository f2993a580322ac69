"""Progress streams on a real Redis."""

from __future__ import annotations

import asyncio

import pytest

from shared import errdefs
from shared.bus import names
from shared.bus.progress import Progress
from tests.support.buses import NODE, Buses, Note
from tests.support.redis import RedisServer
from tests.support.wait import eventually

STREAM = names.progress(NODE, "job-1")


async def follow(progress: Progress, after: str = "0") -> list[int]:
    read: list[int] = []
    await follow_into(read, progress, after)
    return read


async def follow_into(read: list[int], progress: Progress, after: str = "0") -> None:
    async for envelope, _ in progress.follow(after):
        read.append(envelope.read(Note).number)


async def test_a_follower_gets_everything_and_ends_at_the_final_one(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Whether it comes before or after what is written."""
    pull, gateway = await buses.opened("pull"), await buses.opened()
    writer = Progress(bus=pull, job_id="job-1")
    early = asyncio.create_task(follow(Progress(bus=gateway, job_id="job-1")))
    for number in range(5):
        await writer.write(Note(number=number))
    await writer.write(Note(number=5), final=True)

    assert await early == [0, 1, 2, 3, 4, 5]
    assert await follow(Progress(bus=gateway, job_id="job-1")) == [0, 1, 2, 3, 4, 5]
    assert int(redis_server.command("TTL", STREAM)) > 0


async def test_a_follower_goes_on_after_a_cursor(buses: Buses) -> None:
    """A client that comes back asks for what it has not seen."""
    pull = await buses.opened("pull")
    progress = Progress(bus=pull, job_id="job-1")
    await progress.write(Note(number=1))
    await progress.write(Note(number=2), final=True)
    cursors = [cursor async for _, cursor in progress.follow()]

    assert await follow(progress, after=cursors[0]) == [2]


async def test_a_follower_survives_a_restart_of_redis(
    buses: Buses, redis_server: RedisServer
) -> None:
    """It reads on where it was."""
    pull = await buses.opened("pull")
    progress = Progress(bus=pull, job_id="job-1")
    await progress.write(Note(number=1))
    read: list[int] = []
    following = asyncio.create_task(follow_into(read, progress))
    await eventually(lambda: read)
    await asyncio.to_thread(redis_server.restart)
    assert await pull.wait_connected(5)
    await progress.write(Note(number=2), final=True)

    await following
    assert read == [1, 2]


async def test_a_follower_is_told_of_a_flush(buses: Buses, redis_server: RedisServer) -> None:
    """It would wait for a final message that is gone for ever."""
    pull = await buses.opened("pull")
    progress = Progress(bus=pull, job_id="job-1")
    await progress.write(Note(number=1))
    read: list[int] = []
    following = asyncio.create_task(follow_into(read, progress))
    await eventually(lambda: read)

    redis_server.flushall()

    with pytest.raises(errdefs.Unavailable, match="ask for the job's state"):
        await asyncio.wait_for(following, 10)
