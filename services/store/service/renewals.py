"""Until when each registration holds, unless it is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from services.store import ports

K = TypeVar("K")


class Renewals(Generic[K]):
    """Ends in memory: after the store's own start each owner has its whole time once more."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._until_ns: dict[K, int] = {}
        self._changed = asyncio.Event()

    def renew(self, key: K, ttl_s: int) -> None:
        """Have a registration hold for *ttl_s* from now on."""
        self._until_ns[key] = self._clock() + ttl_s * 10**9
        self._changed.set()

    def is_live(self, key: K) -> bool:
        """Tell whether a registration holds."""
        return self._until_ns.get(key, 0) > self._clock()

    def forget(self, key: K) -> None:
        """Have a registration hold no more."""
        self._until_ns.pop(key, None)

    def ended(self) -> list[K]:
        """Return the registrations whose time has run out."""
        return [key for key in self._until_ns if not self.is_live(key)]

    async def run(self, drop: Callable[[K], Awaitable[None]]) -> None:
        """Have *drop* called for each registration when its time has run out."""
        while True:
            self._changed.clear()
            for key in self.ended():
                await drop(key)
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _pause_s(self) -> float | None:
        first_ns = min(self._until_ns.values(), default=None)
        return None if first_ns is None else max(0.0, (first_ns - self._clock()) / 1e9)
