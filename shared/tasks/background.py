"""Background tasks by key: one at a time each, cancelled and awaited when told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from shared import errdefs

log = structlog.get_logger()

R = TypeVar("R")

#: Seconds between tries: at first, and at most.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0


async def until_done(
    work: Callable[[], Awaitable[R]], *, obstacles: tuple[type[Exception], ...] = (errdefs.Error,)
) -> R:
    """Repeat *work*, with growing pauses, until executor, bus and disk let it be done.

    Returns what it returns then, and raises what is none of the *obstacles*.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except obstacles as error:
            log.warning("not done yet", reason=str(error), again_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


class Tasks:
    """Owns its tasks: none is forgotten, and the fault of one is logged."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, Coroutine[Any, Any, None]] = {}

    def ensure(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Run *work*, after the task of this key if one runs: it may have looked already."""
        if key in self._tasks:
            self._replace_next(key, work)
            return
        task = asyncio.create_task(work, name=key)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    def has(self, key: str) -> bool:
        """Tell whether a task of this key runs."""
        return key in self._tasks

    async def settled(self) -> None:
        """Wait until no task is left."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def cancel(self, key: str) -> None:
        """Cancel the task of this key and wait until it has cleaned up."""
        waiting = self._again.pop(key, None)
        if waiting is not None:
            waiting.close()
        task = self._tasks.get(key)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait([task])

    async def cancel_all(self) -> None:
        """Cancel all tasks and wait until they have cleaned up."""
        await asyncio.gather(*(self.cancel(key) for key in list(self._tasks)))

    def _replace_next(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        waiting = self._again.pop(key, None)
        if waiting is not None:
            waiting.close()
        self._again[key] = work

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed", work=key, exc_info=task.exception())
        again = self._again.pop(key, None)
        if again is not None:
            self.ensure(key, again)
