"""One lane per thing: verbs on the same one run one after another, in order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from shared import errdefs

#: Nanoseconds since the epoch.
Clock = Callable[[], int]


class Lanes:
    """Locks by key that exist only while somebody holds or awaits them."""

    def __init__(self, clock: Clock, *, noun: str = "plugin") -> None:
        """Take a clock, and what the keys name."""
        self._clock = clock
        self._noun = noun
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    def is_busy(self, key: str) -> bool:
        """Tell whether somebody holds the lane."""
        lock = self._locks.get(key)
        return lock is not None and lock.locked()

    @asynccontextmanager
    async def hold(self, key: str, deadline_ns: int | None = None) -> AsyncIterator[None]:
        """Wait for the lane and hold it; raises DeadlineExceeded when the deadline comes first."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] = self._users.get(key, 0) + 1
        try:
            await self._acquire(lock, key, deadline_ns)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]

    async def _acquire(self, lock: asyncio.Lock, key: str, deadline_ns: int | None) -> None:
        timeout_s = None if deadline_ns is None else (deadline_ns - self._clock()) / 1e9
        try:
            async with asyncio.timeout(timeout_s):
                await lock.acquire()
        except TimeoutError as error:
            raise errdefs.DeadlineExceeded(
                f"{self._noun} {key} was busy with another request until the time for this one ran "
                "out: try again"
            ) from error
