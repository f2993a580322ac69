"""Lanes and background tasks."""

from __future__ import annotations

import asyncio

import pytest

from shared import errdefs
from shared.tasks.background import Tasks
from shared.tasks.lanes import Lanes
from tests.support.store import FakeClock


async def test_lane_is_given_in_order_of_arrival() -> None:
    """Holders of one lane run one after another; the lane is forgotten with the last."""
    lanes, seen = Lanes(FakeClock()), []

    async def hold(number: int) -> None:
        async with lanes.hold("p"):
            seen.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(hold(number) for number in range(5)))

    assert seen == [0, 1, 2, 3, 4]
    assert not lanes.is_busy("p")


async def test_lane_that_stays_busy_ends_with_the_deadline() -> None:
    """Who waits past the deadline is told so, and the lane still works."""
    clock = FakeClock()
    lanes = Lanes(clock)
    async with lanes.hold("p"):
        with pytest.raises(errdefs.DeadlineExceeded):
            async with lanes.hold("p", clock.now_ns):
                pytest.fail("the lane was held twice")

    async with lanes.hold("p", clock.now_ns + 10**9):
        assert lanes.is_busy("p")


async def test_task_of_a_busy_key_runs_afterwards_once() -> None:
    """Work that comes while its key is busy is done after it, the newest of it only."""
    tasks, seen, gate = Tasks(), [], asyncio.Event()

    async def work(number: int) -> None:
        await gate.wait()
        seen.append(number)

    for number in range(4):
        tasks.ensure("k", work(number))
    await asyncio.sleep(0)
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)

    assert seen == [0, 3]
