"""Waiting for threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from services.pull.adapters import threads


@pytest.mark.parametrize("cancels", [0, 1, 3])
async def test_nobody_leaves_before_the_thread(cancels: int) -> None:
    """Cancelled, even again and again, the wait lasts to the thread's end and is cancelled then."""
    may_end = threading.Event()
    work = asyncio.get_running_loop().run_in_executor(None, may_end.wait)
    waiting = asyncio.create_task(threads.ended(work))
    for _ in range(cancels):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()

    may_end.set()
    await asyncio.wait([waiting])

    assert work.done()
    assert waiting.cancelled() == bool(cancels)


async def test_what_the_thread_met_is_not_raised() -> None:
    """It is over: that is all that was asked."""
    work = asyncio.get_running_loop().run_in_executor(None, int, "no number")

    await threads.ended(work)

    assert isinstance(work.exception(), ValueError)
