"""Following one job to its end, whatever becomes of what it tells."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

import structlog

from services.gateway import ports
from services.gateway.service.jobs import Jobs
from services.gateway.service.visibility import Visibility
from shared import errdefs
from shared.contracts.job import Job, JobEnded, JobProgress, JobState

#: A job that says nothing for so long is asked for; its last word may have been lost.
_LOOK_S: Final = 5.0
#: The first time sooner: it may have been over for long.
_FIRST_LOOK_S: Final = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something a job told, and the position behind which a reader goes on."""

    position: str
    progress: JobProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The job is over: it failed with *error*, or clients can see what it did."""

    error: errdefs.Error | None


class _Lost:
    """In place of what a job told: ask how it is."""


class _Closing:
    """The gateway stops; the job goes on."""


_Heard = asyncio.Queue[ports.Told | _Lost | _Closing]


class JobWatch:
    """Follows jobs for any number of clients."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        follower: ports.JobFollower,
        visibility: Visibility,
        look_s: float = _LOOK_S,
        first_look_s: float = _FIRST_LOOK_S,
    ) -> None:
        self._jobs = jobs
        self._follower = follower
        self._visibility = visibility
        self._look_s = look_s
        self._first_look_s = first_look_s
        self._listening: set[_Heard] = set()
        self._is_closed = False

    def close(self) -> None:
        """End all that is followed with an error that says that their jobs go on."""
        self._is_closed = True
        for heard in self._listening:
            heard.put_nowait(_Closing())

    async def follow(self, job_id: str, after: str = "") -> AsyncGenerator[Step | End, None]:
        """Yield what the job tells from a position on, and then, once, its End."""
        heard = _Heard()
        self._listening.add(heard)
        if self._is_closed:
            heard.put_nowait(_Closing())
        listening = asyncio.create_task(self._listen(job_id, after, heard))
        try:
            patience_s = self._first_look_s
            while True:
                item = await self._next(heard, listening, patience_s)
                patience_s = self._look_s
                if isinstance(item, ports.Told) and isinstance(item.message, JobProgress):
                    yield Step(position=item.position, progress=item.message)
                elif (end := await self._end(job_id, item)) is not None:
                    yield end
                    return
        finally:
            self._listening.discard(heard)
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self, job_id: str, after: str, heard: _Heard) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._follower.follow(job_id, after)) as told:
                    async for item in told:
                        heard.put_nowait(item)
                return
            except errdefs.Unavailable as error:
                log.info("progress lost, reading on", job_id=job_id, reason=error.message)
                after = ""
                heard.put_nowait(_Lost())

    async def _next(
        self, heard: _Heard, listening: asyncio.Task[None], patience_s: float
    ) -> ports.Told | _Lost | _Closing:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                return await heard.get()
        if listening.done() and heard.empty():
            listening.result()
        return _Lost()

    async def _end(self, job_id: str, item: ports.Told | _Lost | _Closing) -> End | None:
        match item:
            case _Closing():
                return End(
                    error=errdefs.Unavailable(
                        f"the gateway stops, and job {job_id} goes on without it: see "
                        f"/wherry/v1/jobs/{job_id} once it is back"
                    )
                )
            case ports.Told(message=JobEnded() as ended):
                return await self._settled(ended)
            case _:
                return await self._look(job_id)

    async def _settled(self, ended: JobEnded) -> End:
        if ended.error is not None:
            return End(error=errdefs.from_wire(ended.error))
        if ended.changed is not None:
            await self._visibility.settle(ended.changed)
        return End(error=None)

    async def _look(self, job_id: str) -> End | None:
        """Ask the store; None while the job is not over, or nobody can tell."""
        try:
            job = await self._jobs.get(job_id)
        except errdefs.NotFound as error:
            return End(error=error)
        except errdefs.Error as error:
            log.warning("job not looked at, trying on", job_id=job_id, reason=error.message)
            return None
        match job.state:
            case JobState.FAILED:
                return End(error=_failure(job))
            case JobState.DONE:
                await self._visibility.catch_up()
                return End(error=None)
            case _:
                return None


def _failure(job: Job) -> errdefs.Error:
    if job.error is None:
        return errdefs.Internal(f"job {job.job_id} failed, and nobody said why")
    return errdefs.from_wire(job.error)
