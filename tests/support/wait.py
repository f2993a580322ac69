"""Waiting for what comes about by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def eventually(is_true: Callable[[], object], *, limit_s: float = 20.0) -> None:
    """Wait until *is_true*, looking often; fail when it does not become so in time."""
    deadline = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < deadline, f"did not come about within {limit_s} s"
        await asyncio.sleep(0.01)


async def all_have_run() -> None:
    """Let each task that is ready run, and those that this makes ready."""
    for _ in range(20):
        await asyncio.sleep(0)
