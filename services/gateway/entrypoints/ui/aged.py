"""What is asked for by messages, and may be a little old: many pages show it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Aged(Generic[T]):
    """An answer that is asked for again once it is older than *limit_s*, however many look."""

    ask: Callable[[], Awaitable[T]]
    limit_s: float
    clock: Callable[[], float] = time.monotonic
    _answers: list[T] = field(default_factory=list)
    _asked_at_s: float = -math.inf
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self) -> T:
        """Return the answer; raises as *ask* does."""
        async with self._asking:
            if self.clock() - self._asked_at_s >= self.limit_s:
                self._answers = [await self.ask()]
                self._asked_at_s = self.clock()
            return self._answers[0]
