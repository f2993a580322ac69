"""A pull process that starts takes up the jobs of the one before it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from services.pull import ports
from shared import errdefs
from shared.bus.ports import Sender
from shared.contracts.job import JobState, ListJobs
from shared.telemetry import context

log = structlog.get_logger()

_ASK_LIMIT_S = 10.0
#: Seconds between tries.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """Queues what a dead process had in its hands, without waiting for its leases to run out."""

    sender: Sender
    queue: ports.JobQueue

    async def run(self) -> None:
        """Queue all jobs that are not over, once store and queue answer.

        Of one that waits, the dead process may have had the message, and not taken the job yet.
        A second message does no harm.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await self._queue_live()
            except errdefs.Error as error:  # whatever is wrong, nobody else takes them up
                log.warning("jobs not taken up yet", reason=error.message, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _queue_live(self) -> None:
        found = await self.sender.send(ListJobs(), timeout_s=_ASK_LIMIT_S)
        for job in found.jobs:
            if job.state in (JobState.QUEUED, JobState.RUNNING):
                log.info("job taken up", job_id=job.job_id, attempt=job.attempt)
                with context.within(job.traceparent):
                    await self.queue.enqueue(job.job_id, is_patient=bool(job.batch_id))
