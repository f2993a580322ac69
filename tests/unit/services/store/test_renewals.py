"""Registrations end when they are not repeated."""

from __future__ import annotations

import asyncio
import time

from services.store.service.renewals import Renewals
from tests.support.store import FakeClock
from tests.support.wait import eventually


async def test_what_is_not_renewed_in_time_is_dropped() -> None:
    """Each key is dropped when its own time has run out, and a renewed one is not."""
    clock = FakeClock()
    renewals: Renewals[str] = Renewals(clock)
    dropped: list[str] = []

    async def drop(key: str) -> None:
        renewals.forget(key)
        dropped.append(key)

    running = asyncio.create_task(renewals.run(drop))
    renewals.renew("first", 10)
    renewals.renew("second", 10)
    clock.advance(8)
    renewals.renew("second", 10)
    clock.advance(3)
    renewals.renew("third", 10)

    await eventually(lambda: dropped)
    assert dropped == ["first"]
    assert renewals.is_live("second")
    running.cancel()


async def test_time_itself_ends_a_registration() -> None:
    """Nothing has to happen for an end to be noticed."""
    renewals: Renewals[str] = Renewals(time.time_ns)
    dropped = asyncio.Event()

    async def drop(key: str) -> None:
        renewals.forget(key)
        dropped.set()

    renewals.renew("only", 0)
    running = asyncio.create_task(renewals.run(drop))

    await asyncio.wait_for(dropped.wait(), 5)
    running.cancel()
