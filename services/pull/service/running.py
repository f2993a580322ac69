"""Runs jobs: takes each from the store, does it, and tells how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from services.pull.ports import OpenProgress, Workplaces
from services.pull.service import lease, metrics, spans, store
from services.pull.service.attempt import Attempt
from services.pull.service.credentials import open_auth
from services.pull.service.lines import Lines
from services.pull.service.pace import STEADY, Pace
from services.pull.service.pulling import Pulling
from services.pull.service.pushing import Pushing
from services.pull.service.store import JobStore
from shared import errdefs
from shared.bus.ports import Sender
from shared.contracts.job import JobEnded, JobKind, JobTaken
from shared.sealing import Opener
from shared.telemetry.spans import note_error

log = structlog.get_logger()


class StoppingError(Exception):
    """The worker stops; the job is another's to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunner:
    """Does jobs, each at most once at a time."""

    sender: Sender
    pulling: Pulling
    pushing: Pushing
    workplaces: Workplaces
    opener: Opener
    open_progress: OpenProgress
    #: Name of this worker in the store's records.
    worker: str
    pace: Pace = STEADY
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    #: By job id.
    _attempts: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _is_stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(
        self, job_id: str, carrier: Mapping[str, str], *, queued_at_ns: int | None = None
    ) -> None:
        """Do a job that was queued, in the trace that *carrier* tells of.

        A job that is over, or in the hands of a worker that lives, is left alone: a message may
        come twice. Raises StoppingError when this worker stops; the job is left to be taken anew.
        """
        if self._is_stopping.is_set():
            raise StoppingError
        spans.waited(job_id, carrier, queued_at_ns)
        running = asyncio.create_task(self._run(job_id, carrier))
        self._running.add(running)
        try:
            await running
        except asyncio.CancelledError as error:
            raise StoppingError from error
        finally:
            self._running.discard(running)

    def stop(self) -> None:
        """Cancel all jobs; they are left as they are, for their leases to run out."""
        self._is_stopping.set()
        for running in self._running:
            running.cancel()

    async def _run(self, job_id: str, carrier: Mapping[str, str]) -> None:
        with (
            spans.job(job_id, carrier) as span,
            structlog.contextvars.bound_contextvars(job_id=job_id),
        ):
            try:
                taken = await store.take(self.sender, job_id, self.worker, self.pace)
            except errdefs.Error as error:
                log.info("job not taken", reason=error.message)
                return
            span.set_attribute("wherry.job.kind", taken.request.kind)
            span.set_attribute("wherry.plugin", taken.request.name)
            span.set_attribute("wherry.job.attempt", taken.attempt)
            await self._in_place_of_another(job_id, taken)

    async def _in_place_of_another(self, job_id: str, taken: JobTaken) -> None:
        """Do the job after ending an attempt of ours that lost it without noticing."""
        if (before := self._attempts.get(job_id)) is not None:
            before.cancel()
            await asyncio.wait([before])
        attempt = self._attempts[job_id] = asyncio.create_task(self._attempt(job_id, taken))
        try:
            await attempt
        finally:
            if self._attempts.get(job_id) is attempt:
                del self._attempts[job_id]

    async def _attempt(self, job_id: str, taken: JobTaken) -> None:
        log.info("job taken", kind=taken.request.kind, attempt=taken.attempt)
        began, outcome = time.perf_counter(), "stopped"
        job_store = JobStore(sender=self.sender, job_id=job_id, token=taken.token, pace=self.pace)
        progress = self.open_progress(job_id)
        async with Lines(progress, is_terse=bool(taken.request.batch_id)) as said:
            try:
                ended = await lease.held(job_store, self._do(job_store, taken, said), self.pace)
            except errdefs.Error as error:
                outcome = error.code
                await self._fail(job_store, said, error)
            except Exception:
                outcome = "fault"
                log.exception("job failed")
                await self._fail(job_store, said, _fault(job_id))
            else:
                outcome = "ok"
                if ended is not None:
                    await said.end(ended, self.pace)
            finally:
                _told(taken.request.kind, outcome, time.perf_counter() - began)

    async def _do(self, job_store: JobStore, taken: JobTaken, said: Lines) -> JobEnded | None:
        """Do the job, and return its last message; None where the store goes on and tells it."""
        subject = taken.request.credentials_subject or job_store.job_id
        auth = open_auth(self.opener, taken.request.credentials, subject)
        attempt = Attempt(
            taken=taken,
            store=job_store,
            workplace=self.workplaces.of(job_store.job_id, taken.token),
            lines=said,
            auth=auth,
        )
        if taken.request.kind is JobKind.PUSH:
            await self.pushing.run(attempt)
            return JobEnded()
        if taken.request.kind is JobKind.PREFETCH:
            await self.pulling.prefetch(attempt)
            return JobEnded()
        changed = await self.pulling.run(attempt)
        return None if attempt.goes_on else JobEnded(changed=changed)

    async def _fail(self, job_store: JobStore, said: Lines, error: errdefs.Error) -> None:
        """End the job with an error, or with a fault of ours where that error can't be told."""
        note_error(spans.current(), error)
        if isinstance(error, errdefs.ResourceExhausted):
            await self._make_room(job_store)
        try:
            await self._tell(job_store, said, error)
        except Exception:
            # In silence the job would be tried again until it is given up, for no cause named.
            log.exception("failure not told", after=error.message)
            await self._tell(job_store, said, _fault(job_store.job_id))

    async def _tell(self, job_store: JobStore, said: Lines, error: errdefs.Error) -> None:
        """Tell how the job failed, unless it is somebody else's by now, or over."""
        try:
            await job_store.fail(error)
        except errdefs.Error as refusal:
            log.warning("job not failed", reason=refusal.message, after=error.message)
            await self._leave(job_store, said)
            return
        log.info("job failed", reason=error.message)
        await said.end(JobEnded(error=error.to_wire()), self.pace)

    async def _make_room(self, job_store: JobStore) -> None:
        """Delete what the attempt unpacked: on a full disk nobody can write that it failed."""
        try:
            await self.workplaces.of(job_store.job_id, job_store.token).abandon()
        except OSError as error:
            log.warning("files of a failed job not deleted", reason=str(error))

    async def _leave(self, job_store: JobStore, said: Lines) -> None:
        """Tell the end of a job that was over before this attempt at it knew, if it is.

        The answer to the step that ended it got lost. Where it was told already, nobody reads on.
        """
        if (job := await job_store.how_it_ended()) is None:
            return
        # The store has deleted the folder with the job's end; this attempt may have made it anew.
        await self.workplaces.of(job_store.job_id, job_store.token).discard()
        await said.end(JobEnded(error=job.error), self.pace)


def _told(kind: JobKind, outcome: str, seconds: float) -> None:
    metrics.JOB_SECONDS.labels(kind, outcome).observe(seconds)
    log.info("job", kind=kind, outcome=outcome, duration_ms=round(seconds * 1000, 3))


def _fault(job_id: str) -> errdefs.Error:
    return errdefs.Internal(f"a fault in the pull service ended job {job_id}: look at its log")
