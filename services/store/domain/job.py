"""A job's record, and what each step makes of it."""

from __future__ import annotations

from typing import Any

from services.store.domain import handover
from services.store.domain.handover import Handover
from shared import errdefs
from shared.contracts.job import Job, JobKind, JobRequest, JobState
from shared.contracts.message import Value
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact
from shared.contracts.upgrade import UpgradePhase
from shared.oci import reference

#: How long a worker may be silent before its job is given to another.
LEASE_S = 60.0
#: Workers that may die over a job before it is given up.
MAX_ATTEMPTS = 3

#: How long a job that is over is kept, from when it was begun.
KEPT_NS = 7 * 24 * 3600 * 10**9
#: Jobs that may be queued or running at a time.
LIVE_LIMIT = 1024
#: When whoever found no room is told to come again: some jobs are over by then.
_COME_AGAIN_S = 10

#: How long what a batch has fetched or replaced is kept: its upgrades, and its rollback, need it.
_KEPT_S = 24 * 3600.0

_DOING = {
    JobKind.PULL: "pulled",
    JobKind.PUSH: "pushed",
    JobKind.UPGRADE: "upgraded",
    JobKind.PREFETCH: "prefetched",
}


def require_same_service(plugin: Plugin, request: JobRequest) -> None:
    """Raise AlreadyExists when a swarm service wants a plugin that is not its own."""
    wanted = request.swarm_service_id
    if wanted and wanted != plugin.swarm_service_id:
        owner = f"swarm service {plugin.swarm_service_id}" if plugin.swarm_service_id else "a user"
        raise errdefs.AlreadyExists(
            f"plugin already exists: {plugin.name}, which {owner} installed: remove it, or give "
            "the service's plugin another name",
            detail={"plugin": plugin.name},
        )


class JobRecord(Value):
    """All that the store keeps of a job."""

    job: Job
    request: JobRequest
    token: int = 0
    worker: str = ""
    #: Message by which the present worker took it: its redelivery gets the same answer.
    take_id: str = ""
    lease_until_ns: int = 0
    #: Digests kept from the collector while the job is not over, and until *blobs_until_ns*.
    blobs: tuple[str, ...] = ()
    #: Of a job of a batch.
    blobs_until_ns: int = 0
    #: Of the upgrade of an enabled plugin, once it is decided: no worker has it any more.
    handover: Handover | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether the job is not over."""
        return self.job.state in (JobState.QUEUED, JobState.RUNNING)


def require_room(live: int) -> None:
    """Raise ResourceExhausted, with `retry_after_s`, where no other job may be begun."""
    if live >= LIVE_LIMIT:
        raise errdefs.ResourceExhausted(
            f"{live} pulls, pushes and upgrades are under way or queued on this node, which takes "
            f"no more: try again in {_COME_AGAIN_S} s; `wherry job ls` shows them, and `wherry job "
            "cancel` ends one",
            detail={"retry_after_s": _COME_AGAIN_S},
        )


def require_same(record: JobRecord, request: JobRequest) -> None:
    """Raise Conflict when a job that was found is about something else than the request.

    Credentials are sealed anew each time, and say nothing of what is asked.
    """
    if _asked(record.request) != _asked(request):
        raise errdefs.Conflict(
            f"this Idempotency-Key belongs to job {record.job.job_id}, a {record.job.kind} of "
            f"{record.job.name} ({record.job.remote}), asked for with another body: repeat that "
            "request, or use another key for this one",
            detail={"job": record.job.job_id},
        )


def _asked(request: JobRequest) -> JobRequest:
    return request.model_copy(update={"credentials": None, "meta_headers": {}})


def rootfs(record: JobRecord) -> str:
    """Return the name of the root file system that a pull or an upgrade brings."""
    return "rootfs" if record.job.kind is JobKind.PULL else f"rootfs-{record.job.job_id}"


def lane(job_id: str) -> str:
    """Return the lane in which a job's steps follow one another; a plugin's own comes before it."""
    return f"job {job_id}"


def begun(
    job_id: str, request: JobRequest, plugin_id: str, now_ns: int, traceparent: str = ""
) -> JobRecord:
    """Return a new job, queued; its first worker has a lease's time to take it."""
    is_upgrade = request.kind is JobKind.UPGRADE
    return JobRecord(
        job=Job(
            job_id=job_id,
            kind=request.kind,
            state=JobState.QUEUED,
            name=request.name,
            remote=request.remote,
            plugin_id=plugin_id or None,
            strategy=request.strategy if is_upgrade else None,
            phase=UpgradePhase.PREFETCH if is_upgrade else None,
            created_at_ns=now_ns,
            batch_id=request.batch_id,
            traceparent=traceparent,
        ),
        request=request,
        lease_until_ns=_lease(now_ns),
    )


def taken(record: JobRecord, worker: str, take_id: str, now_ns: int) -> JobRecord:
    """Return the job in the hands of *worker*; raises Conflict when it is not to be had."""
    if record.job.state is JobState.RUNNING and record.take_id == take_id:
        return record
    if not record.is_live:
        raise errdefs.Conflict(f"job {record.job.job_id} is over: it is {record.job.state}")
    if record.handover is not None:
        raise errdefs.Conflict(f"job {record.job.job_id} is the store's to end: it is decided")
    # A node has one pull process at a time: a worker of another name is that one's successor.
    is_held = record.job.state is JobState.RUNNING and record.worker == worker
    if is_held and now_ns < record.lease_until_ns:
        raise errdefs.Conflict(f"job {record.job.job_id} is in the hands of {record.worker}")
    return _with(record, state=JobState.RUNNING, attempt=record.job.attempt + 1).model_copy(
        update={
            "token": record.token + 1,
            "worker": worker,
            "take_id": take_id,
            "lease_until_ns": _lease(now_ns),
        }
    )


def keeping(record: JobRecord, digests: tuple[str, ...]) -> JobRecord:
    """Return the job with these digests kept from the collector, too."""
    kept = tuple(dict.fromkeys((*record.blobs, *digests)))
    return record.model_copy(update={"blobs": kept})


def renewed(record: JobRecord, now_ns: int) -> JobRecord:
    """Return the job with a new lease."""
    return record.model_copy(update={"lease_until_ns": _lease(now_ns)})


def requeued(record: JobRecord, now_ns: int) -> JobRecord:
    """Return a job whose worker fell silent, to be taken by another."""
    return renewed(_with(record, state=JobState.QUEUED), now_ns)


def cancelled(record: JobRecord) -> JobRecord:
    """Return the job as one that somebody wishes ended."""
    return _with(record, cancelled=True)


def can_be_cancelled(record: JobRecord) -> bool:
    """Tell whether a job can still leave everything as it was."""
    return record.is_live and handover.is_revocable(record.job.phase)


def pulled(record: JobRecord, now_ns: int) -> Fact:
    """Return dockerd's event of a pull or an upgrade: its actor is the remote reference."""
    return Fact(
        action="pull",
        actor_id=reference.parse(record.job.remote).familiar,
        attributes={"name": record.job.name},
        time_ns=now_ns,
    )


def done(record: JobRecord, now_ns: int, replaced: Plugin | None = None) -> JobRecord:
    """Return the job as one that succeeded; nothing of the request is kept that was sealed.

    Of a job of a batch, what it *replaced* or fetched is kept for a while.
    """
    is_upgrade = record.job.kind is JobKind.UPGRADE
    phase = UpgradePhase.COMMIT if is_upgrade else None
    over = _over(record, now_ns, state=JobState.DONE, phase=phase)
    if not record.request.batch_id:
        return over
    kept = record.blobs if replaced is None else blobs_of(replaced)
    return over.model_copy(update={"blobs": kept, "blobs_until_ns": now_ns + int(_KEPT_S * 1e9)})


def blobs_of(plugin: Plugin) -> tuple[str, ...]:
    """Return the digests of all that a plugin is made of."""
    return (plugin.config_digest, plugin.manifest_digest, *plugin.layer_digests)


def failed(record: JobRecord, error: dict[str, Any], now_ns: int) -> JobRecord:
    """Return the job as one that failed."""
    return _over(record, now_ns, state=JobState.FAILED, error=error)


def require(record: JobRecord | None, job_id: str, token: int) -> JobRecord:
    """Return a running job whose worker holds *token*; raises NotFound or Conflict."""
    if record is None:
        raise errdefs.NotFound(f"job {job_id} not found", detail={"job": job_id})
    if record.job.state is not JobState.RUNNING or record.token != token:
        raise errdefs.Conflict(f"job {job_id} was taken from this worker: stop, and change nothing")
    return record


def has_ended(record: JobRecord | None, token: int, state: JobState) -> bool:
    """Tell whether the worker that holds *token* has ended its job so already."""
    return record is not None and record.token == token and record.job.state is state


def held(record: JobRecord) -> errdefs.Conflict:
    """Return what every verb on a plugin, or name, hears while a job has it."""
    job = record.job
    return errdefs.Conflict(
        f"plugin {job.name} is being {_DOING[job.kind]} by job {job.job_id}: wait for it, or "
        "cancel it",
        detail={"plugin": job.name, "job": job.job_id},
    )


def was_cancelled(record: JobRecord) -> errdefs.Error:
    """Return the error of a job that somebody wished ended."""
    return errdefs.Conflict(f"job {record.job.job_id} was cancelled")


def gave_up(record: JobRecord) -> errdefs.Error:
    """Return the error of a job whose workers died over it."""
    return errdefs.Internal(
        f"job {record.job.job_id} was given up: {record.job.attempt} workers in a row died or "
        "fell silent over it; look at the pull service's log"
    )


def _over(record: JobRecord, now_ns: int, **changes: Any) -> JobRecord:
    request = record.request.model_copy(update={"credentials": None})
    return _with(record, finished_at_ns=now_ns, **changes).model_copy(
        update={"request": request, "blobs": (), "handover": None}
    )


def _with(record: JobRecord, **changes: Any) -> JobRecord:
    return record.model_copy(update={"job": record.job.model_copy(update=changes)})


def _lease(now_ns: int) -> int:
    return now_ns + int(LEASE_S * 1e9)
