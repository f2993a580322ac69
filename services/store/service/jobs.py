"""Jobs: begun for people, taken by workers, fenced by tokens, ended once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from services.store import ports
from services.store.domain import handover, job
from services.store.domain.job import JobRecord
from services.store.domain.operation import Unit
from services.store.service.garbage import Garbage
from services.store.service.inventory import PluginInventory
from services.store.service.job_watch import JobWatch
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts import job as contracts
from shared.contracts.job import JobKind, JobReply, JobRequest, JobState
from shared.contracts.message import Done
from shared.oci import manifest
from shared.oci.manifest import Manifest
from shared.tasks.lanes import Lanes
from shared.telemetry import context


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What people and workers ask about jobs."""

    inventory: PluginInventory
    lanes: Lanes
    folders: ports.Folders
    content: ports.Content
    garbage: Garbage
    watch: JobWatch
    clock: ports.Clock
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]

    async def begin(self, command: contracts.BeginJob, delivery: Delivery) -> JobReply:
        """Reserve the name or plugin and queue the job; a repeat finds it.

        Raises Conflict when the id is that of a job about something else, ResourceExhausted when
        too many are under way.
        """
        record = self.inventory.job(command.job_id)
        if record is None:
            async with self.lanes.hold(self._lane(command.request), delivery.deadline_ns):
                # Once more: a repeat may have waited here for the first.
                record = self.inventory.job(command.job_id) or await self._begin(command)
            await self.watch.enqueue(command.job_id)
        job.require_same(record, command.request)
        return JobReply(job=record.job)

    async def _begin(self, command: contracts.BeginJob) -> JobRecord:
        plugin_id = self._check(command.request)
        job.require_room(len(self.inventory.live_jobs()))
        record = job.begun(
            command.job_id, command.request, plugin_id, self.clock(), context.traceparent()
        )
        await self.inventory.commit(Unit(job=record))
        return record

    async def get(self, command: contracts.GetJob, _delivery: Delivery) -> JobReply:
        """Return one job."""
        return JobReply(job=self.inventory.require_job(command.job_id).job)

    async def list(self, _command: contracts.ListJobs, _delivery: Delivery) -> contracts.JobList:
        """Return all jobs that are kept, newest first."""
        return contracts.JobList(jobs=tuple(r.job for r in reversed(self.inventory.jobs())))

    async def cancel(self, command: contracts.CancelJob, _delivery: Delivery) -> JobReply:
        """Wish a job ended; one that is over stays as it is."""
        async with self.lanes.hold(job.lane(command.job_id)):
            record = self.inventory.require_job(command.job_id)
            if record.job.state is JobState.QUEUED:
                return JobReply(job=await self.watch.cancel_queued(record))
            if job.can_be_cancelled(record) and not record.job.cancelled:
                record = job.cancelled(record)
                await self.inventory.commit(Unit(job=record))
            return JobReply(job=record.job)

    async def take(self, command: contracts.TakeJob, delivery: Delivery) -> contracts.JobTaken:
        """Give the job to a worker, whose token fences off the one before.

        A redelivery gets the token that it was given. Blobs of a pinned version that are here are
        kept for the job from this commit on: its worker need not ask.
        """
        async with self.garbage.kept_out(), self.lanes.hold(job.lane(command.job_id)):
            record = job.taken(
                self.inventory.require_job(command.job_id),
                command.worker,
                delivery.message_id,
                self.clock(),
            )
            kept = await self._pinned(record.request)
            await self.inventory.commit(Unit(job=job.keeping(record, kept)))
        return contracts.JobTaken(
            token=record.token,
            request=record.request,
            attempt=record.job.attempt,
            plugin=self.inventory.get(record.job.plugin_id or ""),
            kept=kept,
        )

    async def renew(self, command: contracts.RenewJob, _delivery: Delivery) -> contracts.JobLease:
        """Extend the worker's lease, and tell whether the job is wished ended."""
        async with self.lanes.hold(job.lane(command.job_id)):
            record = job.renewed(self.require(command.job_id, command.token), self.clock())
            await self.inventory.commit(Unit(job=record))
        return contracts.JobLease(lease_s=job.LEASE_S, cancelled=record.job.cancelled)

    async def keep_blobs(
        self, command: contracts.KeepBlobs, _delivery: Delivery
    ) -> contracts.KnownBlobs:
        """Keep blobs from the collector until the job ends; tell which are there."""
        async with self.garbage.kept_out(), self.lanes.hold(job.lane(command.job_id)):
            record = self.require(command.job_id, command.token)
            await self.inventory.commit(Unit(job=job.keeping(record, command.digests)))
            return contracts.KnownBlobs(digests=await self.content.known(command.digests))

    async def commit_blob(self, command: contracts.CommitBlob, _delivery: Delivery) -> Done:
        """Move what a worker wrote and verified into the content store, kept for the job."""
        blobs = (command.blob, *command.others)
        async with self.garbage.kept_out(), self.lanes.hold(job.lane(command.job_id)):
            record = self.require(command.job_id, command.token)
            keeping = job.keeping(record, tuple(blob.digest for blob in blobs))
            if keeping != record:
                await self.inventory.commit(Unit(job=keeping))
        await self.content.commit_staged(command.job_id, blobs)
        return Done()

    async def finish(self, command: contracts.FinishPush, _delivery: Delivery) -> Done:
        """End a push or a prefetch that succeeded, and delete what it unpacked; bears a repeat."""
        async with self.lanes.hold(job.lane(command.job_id)):
            if not job.has_ended(self.inventory.job(command.job_id), command.token, JobState.DONE):
                record = self.require(command.job_id, command.token)
                await self.inventory.commit(Unit(job=job.done(record, self.clock())))
            # What a prefetch is for lies in the content store.
            await self.folders.discard(command.job_id)
        return Done()

    async def fail(self, command: contracts.FailJob, _delivery: Delivery) -> Done:
        """End a job with an error, and delete what it staged; a redelivery finds it ended."""
        async with self.lanes.hold(job.lane(command.job_id)):
            known = self.inventory.job(command.job_id)
            if not job.has_ended(known, command.token, JobState.FAILED):
                await self._fail(command)
            # In each case: only now does the worker write no more into the folder.
            await self.folders.discard(command.job_id)
        self.collect_soon()
        return Done()

    async def _fail(self, command: contracts.FailJob) -> None:
        record = self.require(command.job_id, command.token)
        if record.handover is not None:
            raise errdefs.Conflict(f"job {command.job_id} is the store's to end: it is decided")
        await self.inventory.commit(Unit(job=job.failed(record, command.error, self.clock())))

    async def _pinned(self, request: JobRequest) -> tuple[str, ...]:
        """Return which blobs are here of the version that a request pins, where it is known."""
        if request.kind is not JobKind.UPGRADE or not request.pinned_digest:
            return ()
        body = await self.content.read(request.pinned_digest)
        try:
            found = manifest.parse(body or b"")
        except errdefs.InvalidArgument:
            return ()  # not here, or damaged: the worker says so
        if not isinstance(found, Manifest):
            return ()
        made_of = (request.pinned_digest, *found.digests)
        return await self.content.known(tuple(dict.fromkeys(made_of)))

    def require(self, job_id: str, token: int) -> JobRecord:
        """Return a running job whose worker holds *token*; raises NotFound or Conflict."""
        return job.require(self.inventory.job(job_id), job_id, token)

    def _lane(self, request: JobRequest) -> str:
        if request.kind in (JobKind.PULL, JobKind.PREFETCH):
            return request.name
        return self.inventory.resolve(request.name).plugin_id

    def _check(self, request: JobRequest) -> str:
        """Return the id of the plugin that it is about, if any; raises what dockerd answers."""
        if request.kind is JobKind.PREFETCH:
            self.inventory.require_free(request.name)
            return ""
        if request.kind is JobKind.PULL:
            if self.inventory.is_taken(request.name):
                raise errdefs.AlreadyExists(
                    f"plugin {request.name} already exists", detail={"plugin": request.name}
                )
            self.inventory.require_free(request.name)
            return secrets.token_hex(32)
        plugin = self.inventory.resolve(request.name)
        self.inventory.require_free(plugin.name)
        job.require_same_service(plugin, request)
        if request.kind is JobKind.UPGRADE and plugin.enabled:
            handover.require_allowed(request.strategy, plugin)
        return plugin.plugin_id
