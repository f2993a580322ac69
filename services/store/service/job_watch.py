"""Watches over jobs: those whose worker fell silent, and those the queue lost, are queued again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.store import ports
from services.store.domain import job
from services.store.domain.job import JobRecord
from services.store.domain.operation import Unit
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.contracts.job import Job
from shared.tasks.lanes import Lanes
from shared.telemetry import context

log = structlog.get_logger()

#: How often leases are looked at; the lease itself is what decides.
_LOOK_EVERY_S = job.LEASE_S / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWatch:
    """Sees to it that every job ends."""

    inventory: PluginInventory
    lanes: Lanes
    folders: ports.Folders
    queue: ports.JobQueue
    feed: ports.JobFeed
    clock: ports.Clock
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]

    async def run(self) -> None:
        """Look at all live jobs, again and again."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Queue, fail or finish what no worker has in its hands."""
        for record in self.inventory.live_jobs():
            if self._is_silent(record):
                await self._look_again(record.job.job_id)

    async def requeue_all(self) -> None:
        """Queue all jobs that wait for a worker: the queue may have lost them."""
        for record in self.inventory.live_jobs():
            if record.handover is None:
                await self.enqueue(record.job.job_id)

    async def cancel_queued(self, record: JobRecord) -> Job:
        """End a job that no worker has taken; who takes it later finds it over."""
        failed = job.failed(record, job.was_cancelled(record).to_wire(), self.clock())
        await self.inventory.commit(Unit(job=failed))
        await self._clear(failed, job.was_cancelled(record))
        return failed.job

    def _is_silent(self, record: JobRecord) -> bool:
        is_a_workers = record.is_live and record.handover is None
        return is_a_workers and record.lease_until_ns <= self.clock()

    async def _look_again(self, job_id: str) -> None:
        """Look at a silent job as it is once nobody else changes it."""
        silent = self.inventory.require_job(job_id)
        plugin_id = silent.job.plugin_id or ""
        async with self.lanes.hold(plugin_id), self.lanes.hold(job.lane(job_id)):
            record = self.inventory.require_job(job_id)
            if self._is_silent(record):
                await self._look_at(record)

    async def _look_at(self, record: JobRecord) -> None:
        try:
            if record.job.cancelled:
                await self._fail(record, job.was_cancelled(record))
            elif record.job.attempt >= job.MAX_ATTEMPTS:
                await self._fail(record, job.gave_up(record))
            else:
                log.warning("job queued again", job_id=record.job.job_id, worker=record.worker)
                await self.inventory.commit(Unit(job=job.requeued(record, self.clock())))
                await self.enqueue(record.job.job_id)
        except errdefs.Error as error:
            log.warning("job not looked after", job_id=record.job.job_id, reason=error.message)

    async def _fail(self, record: JobRecord, error: errdefs.Error) -> None:
        await self.inventory.commit(Unit(job=job.failed(record, error.to_wire(), self.clock())))
        await self._clear(record, error)

    async def _clear(self, record: JobRecord, error: errdefs.Error) -> None:
        await self.folders.discard(record.job.job_id)
        self.collect_soon()
        try:
            await self.feed.tell_failed(record.job.job_id, error)
        except errdefs.Unavailable as lost:
            # Whoever follows the job asks for its state when the bus lost the rest.
            log.warning("end of job not told", job_id=record.job.job_id, reason=lost.message)

    async def enqueue(self, job_id: str) -> None:
        """Queue a job, in the trace that it began in; the next look does what the queue can't."""
        queued = self.inventory.require_job(job_id).job
        try:
            with context.within(queued.traceparent):
                await self.queue.enqueue(job_id, is_patient=bool(queued.batch_id))
        except errdefs.Unavailable as error:
            log.warning("job not queued yet", job_id=job_id, reason=error.message)
