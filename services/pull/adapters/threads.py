"""Threads can't be called back: whoever started one stays until it has ended."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(work: asyncio.Future[Any]) -> None:
    """Wait until a thread's work is over, however it ended, and however often this is cancelled.

    A cancellation is raised then, not before: what the thread uses may be closed now.
    """
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if not work.cancelled():
        work.exception()  # looked at here, for nobody else may
    if cancelled is not None:
        raise cancelled
