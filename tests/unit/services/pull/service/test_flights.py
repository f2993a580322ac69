"""One download at a time."""

from __future__ import annotations

import asyncio

import pytest

from services.pull.service.flights import Flights


async def test_one_digest_is_one_turn_at_a_time() -> None:
    """Turns of one digest exclude one another, those of two do not."""
    flights = Flights()
    inside: list[str] = []
    most: dict[str, int] = {}

    async def fly(digest: str) -> None:
        async with flights.turn(digest):
            inside.append(digest)
            most[digest] = max(most.get(digest, 0), inside.count(digest))
            most["all"] = max(most.get("all", 0), len(inside))
            await asyncio.sleep(0)
            inside.remove(digest)

    await asyncio.gather(*(fly(digest) for digest in "aabbab"))
    assert most == {"a": 1, "b": 1, "all": 2}


async def test_a_turn_that_fails_or_is_cancelled_is_handed_on() -> None:
    """Nobody waits for one that is gone, and nothing is kept of it."""
    flights = Flights()
    began = asyncio.Event()

    async def hang() -> None:
        async with flights.turn("a"):
            began.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(hang())
    await began.wait()
    waiting = asyncio.create_task(hang())
    await asyncio.sleep(0)
    assert flights.is_taken("a")
    waiting.cancel()
    first.cancel()
    await asyncio.gather(first, waiting, return_exceptions=True)

    with pytest.raises(RuntimeError, match="broke"):
        async with flights.turn("a"):
            raise RuntimeError("broke")
    assert not flights.is_taken("a")
    async with flights.turn("a"):
        assert flights.is_taken("a")
