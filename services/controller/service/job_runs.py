"""One job at a node's store, from its beginning to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog

from services.controller import ports
from shared import errdefs
from shared.contracts.job import (
    BeginJob,
    GetJob,
    Job,
    JobEnded,
    JobProgress,
    JobReply,
    JobRequest,
    JobState,
)
from shared.contracts.upgrade import UpgradePhase

log = structlog.get_logger()

_ANSWER_LIMIT_S = 15.0
#: A job that says nothing for so long is asked for: its last word may have been lost.
_LOOK_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0

#: Told of what a job says.
Listener = Callable[[JobProgress], None]


class InDoubtError(Exception):
    """The node fell silent after the job may have begun: nobody knows how it ends."""

    def __init__(self, error: errdefs.Error) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended: its error, and how far it came with it; neither where it went well."""

    error: dict[str, Any] | None = None
    phase: UpgradePhase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRuns:
    """Begins jobs and waits for their ends; a repeat with the same id goes on with the same job."""

    fleet: ports.Fleet
    #: How long a node that does not answer, or a plugin that is busy, is waited for, in seconds.
    patience_s: float = 600.0

    async def run(self, node: str, job_id: str, request: JobRequest, listener: Listener) -> Ended:
        """Return how the job ended once it is over; raises what the store refuses it for.

        Raises InDoubtError when the node stays silent.
        """
        await self._begin(node, job_id, request)
        heard: asyncio.Queue[JobProgress | JobEnded] = asyncio.Queue()
        listening = asyncio.create_task(self._listen(node, job_id, heard))
        try:
            return await self._watch(node, job_id, heard, listener)
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _begin(self, node: str, job_id: str, request: JobRequest) -> None:
        """Have the job begun, asked again for as long as what stands in the way may pass."""
        command = BeginJob(job_id=job_id, request=request)
        loop = asyncio.get_running_loop()
        until, pause_s, may_have_begun = loop.time() + self.patience_s, _FIRST_PAUSE_S, False
        while True:
            try:
                await self.fleet.order(node, command, timeout_s=_ANSWER_LIMIT_S)
            except errdefs.Error as error:
                may_have_begun = may_have_begun or _is_silence(error)
                if _lacks_room(error):
                    # The node lives, and works its jobs off: ours, most likely.
                    until = loop.time() + self.patience_s
                elif not _may_pass(error):
                    raise
                if loop.time() >= until:
                    if not may_have_begun:
                        raise
                    raise InDoubtError(error) from error
                log.info("job not begun yet", node=node, job_id=job_id, reason=error.message)
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _watch(
        self,
        node: str,
        job_id: str,
        heard: asyncio.Queue[JobProgress | JobEnded],
        listener: Listener,
    ) -> Ended:
        loop = asyncio.get_running_loop()
        answered_at = loop.time()
        while True:
            said: JobProgress | JobEnded | None = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    said = await heard.get()
            if isinstance(said, JobProgress):
                listener(said)
                continue
            if isinstance(said, JobEnded) and said.error is None:
                return Ended()
            try:
                job = await self._look(node, job_id)
            except errdefs.NotFound:
                raise
            except errdefs.Error as error:
                if loop.time() - answered_at > self.patience_s:
                    raise InDoubtError(error) from error
                log.info("job not looked at", node=node, job_id=job_id, reason=error.message)
                await asyncio.sleep(_FIRST_PAUSE_S)
                continue
            answered_at = loop.time()
            if job.state in (JobState.DONE, JobState.FAILED):
                return _ended(job)

    async def _look(self, node: str, job_id: str) -> Job:
        reply: JobReply = await self.fleet.send(
            node, GetJob(job_id=job_id), timeout_s=_ANSWER_LIMIT_S
        )
        return reply.job

    async def _listen(
        self, node: str, job_id: str, heard: asyncio.Queue[JobProgress | JobEnded]
    ) -> None:
        while True:
            with contextlib.suppress(errdefs.Unavailable):
                async with aclosing(self.fleet.progress(node, job_id)) as told:
                    async for said in told:
                        heard.put_nowait(said)
                return
            await asyncio.sleep(_FIRST_PAUSE_S)


def _ended(job: Job) -> Ended:
    if job.state is JobState.DONE:
        return Ended()
    unsaid = f"job {job.job_id} failed, and nobody said why: look at the node's log"
    return Ended(error=job.error or errdefs.Internal(unsaid).to_wire(), phase=job.phase)


def _is_silence(error: errdefs.Error) -> bool:
    return isinstance(error, errdefs.Unavailable | errdefs.DeadlineExceeded)


def _lacks_room(error: errdefs.Error) -> bool:
    return isinstance(error, errdefs.ResourceExhausted) and "retry_after_s" in error.detail


def _may_pass(error: errdefs.Error) -> bool:
    """Tell whether to ask again: silence, a plugin that another job has, a lease that is lost."""
    is_busy = isinstance(error, errdefs.Conflict) and bool({"job", "fenced"} & set(error.detail))
    return _is_silence(error) or is_busy
