"""A job's progress on its way to whoever follows it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType
from typing import Any, Final, Self

import structlog

from services.pull.ports import Monotonic, ProgressWriter
from services.pull.service.pace import STEADY, Pace
from shared import errdefs
from shared.contracts.job import JobEnded, JobProgress

log = structlog.get_logger()

#: How often a layer that moves is reported: ten times a second, as Docker does.
_TICK_S: Final = 0.1
_END_TRIES: Final = 5


class Lines:
    """Writes lines in the order they were said, and holds up nobody who says them.

    What is said within a tick is written together, for each write wakes whoever follows the job.
    Used as a context manager; leaving it waits until all is written. What is lost with the bus
    is lost: progress is for people, and how a job ended is the store's to tell.

    With *is_terse* only what is still moving after a tick is told: of a job of a batch nobody
    reads what was there already.
    """

    def __init__(
        self,
        writer: ProgressWriter,
        clock: Monotonic = time.monotonic,
        *,
        is_terse: bool = False,
        gather_s: float = _TICK_S,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._is_terse = is_terse
        self._gather_s = gather_s
        self._said: list[JobProgress] = []
        self._has_news = asyncio.Event()
        self._is_left = asyncio.Event()
        self._last: dict[tuple[str, str], float] = {}
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what was said so far."""
        self._is_left.set()
        self._has_news.set()
        if self._writing is not None:
            await self._writing
        await self.flush()

    def say(self, status: str, id: str = "", *, aux: dict[str, Any] | None = None) -> None:  # noqa: A002 - Docker's word
        """Say one line."""
        if not self._is_terse:
            self._add(JobProgress(status=status, id=id, aux=aux))

    def moved(self, status: str, id: str, current: int, total: int) -> None:  # noqa: A002 - Docker's word
        """Say how far something is; too soon after the last such line it goes unsaid."""
        now = self._clock()
        if self._is_terse:
            self._last.setdefault((status, id), now)
        last = self._last.get((status, id))
        if last is not None and now - last < _TICK_S:
            return
        self._last[status, id] = now
        self._add(JobProgress(status=status, id=id, current=current, total=total))

    async def flush(self) -> None:
        """Write what was said so far, now."""
        if not (lines := self._take()):
            return
        try:
            await self._writer.write(*lines)
        except errdefs.Error as error:
            log.debug("progress lost", reason=error.message)
            # What was said meanwhile would wait as long.
            self._said.clear()

    async def end(self, ended: JobEnded, pace: Pace = STEADY) -> None:
        """Write how the job ended, behind what was said; tried again while the bus is away.

        Given up at last: whoever waits for a job that long asks the store.
        """
        for tries_left in reversed(range(_END_TRIES)):
            try:
                return await self._writer.write(*self._take(), ended, final=True)
            except errdefs.Error as error:
                log.warning("end of a job not told", reason=error.message, tries_left=tries_left)
                await asyncio.sleep(pace.end_retry_s)
        return None

    def _add(self, line: JobProgress) -> None:
        self._said.append(line)
        self._has_news.set()

    def _take(self) -> tuple[JobProgress, ...]:
        said, self._said = self._said, []
        return tuple(said)

    async def _write(self) -> None:
        while not self._is_left.is_set():
            await self._has_news.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._gather_s):
                    await self._is_left.wait()
            self._has_news.clear()
            await self.flush()
