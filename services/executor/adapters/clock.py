"""The machine's clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """ports.Clock."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
