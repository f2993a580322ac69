"""Jobs: long work on a plugin that a worker drives and the store fences."""

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from shared.contracts.message import Command, Done, Message, Value
from shared.contracts.plugin import Plugin, Signer
from shared.contracts.sealed import Sealed as Sealed
from shared.contracts.store import Changed
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy


class JobKind(StrEnum):
    """What a job does."""

    PULL = "pull"
    PUSH = "push"
    UPGRADE = "upgrade"
    #: Blobs alone, for upgrades that follow.
    PREFETCH = "prefetch"


class JobState(StrEnum):
    """How far a job is; it only moves forward, but for RUNNING back to QUEUED."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobRequest(Value):
    """What a person asked for."""

    kind: JobKind
    #: Local name of the plugin: what a pull makes, what a push or an upgrade works on; of a
    #: prefetch, what it fetches.
    name: str
    #: Reference at the registry, in its full form.
    remote: str
    #: What the person granted, as Docker's privileges; None where nothing is to be checked.
    privileges: tuple[dict[str, Any], ...] | None = None
    #: Headers that are forwarded to the registry: `X-Meta-…`.
    meta_headers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    credentials: Sealed | None = None
    #: Of a pull from an archive that the job was given: the entry's digest; else empty.
    archive_digest: str = ""
    #: Lines `K=V` over the environment that the config has; not for a push.
    env: tuple[str, ...] = ()
    #: The swarm service that the plugin is of, or is to be of; empty: of none.
    swarm_service_id: str = ""
    #: Of an upgrade: what becomes of a plugin that is enabled.
    strategy: UpgradeStrategy = UpgradeStrategy.DISABLED
    #: How long the new version has to last before it counts.
    monitor_s: float = Field(default=5.0, ge=0, le=3600, allow_inf_nan=False)
    #: How long, at most, the old version serves those who hold it.
    drain_s: float = Field(default=30.0, ge=0, le=86_400, allow_inf_nan=False)
    #: What is fetched from *remote*, whatever its tag stands for by now; empty: that.
    pinned_digest: str = ""
    #: Of an upgrade that puts an earlier version back: the plugin as it was.
    restore: Plugin | None = None
    #: The batch that it is a part of: then it waits behind what people wait for, and what it
    #: replaces is kept for a while.
    batch_id: str = ""
    #: What the credentials are sealed for; empty: the job.
    credentials_subject: str = ""


class Job(Value):
    """A job as the store shows it."""

    job_id: str
    kind: JobKind
    state: JobState
    name: str
    remote: str
    plugin_id: str | None = None
    attempt: int = 0
    #: Of an upgrade.
    strategy: UpgradeStrategy | None = None
    phase: UpgradePhase | None = None
    created_at_ns: int
    finished_at_ns: int | None = None
    cancelled: bool = False
    #: The batch that it is a part of.
    batch_id: str = ""
    #: Wire form of the error it failed with.
    error: dict[str, Any] | None = None
    #: W3C trace context that it is done in, by whichever worker; empty where none is recorded.
    traceparent: str = ""


class JobReply(Message):
    """The job after the command."""

    TYPE: ClassVar[str] = "store.job.reply.v1"

    job: Job


class JobList(Message):
    """All jobs that are kept, newest first."""

    TYPE: ClassVar[str] = "store.job.listed.v1"

    jobs: tuple[Job, ...]


class BeginJob(Command[JobReply]):
    """Check that the job can be done, reserve its name or plugin, and queue it.

    *job_id* is the client's choice, so that a repeat is the same job and its progress can be
    followed from before it begins.
    """

    TYPE: ClassVar[str] = "store.job.begin.v1"

    job_id: str
    request: JobRequest


class GetJob(Command[JobReply]):
    """Ask for one job."""

    TYPE: ClassVar[str] = "store.job.get.v1"

    job_id: str


class ListJobs(Command[JobList]):
    """Ask for all jobs that are kept."""

    TYPE: ClassVar[str] = "store.job.list.v1"


class CancelJob(Command[JobReply]):
    """Wish a job ended; its worker hears of it at its next renewal. A repeat changes nothing."""

    TYPE: ClassVar[str] = "store.job.cancel.v1"

    job_id: str


class RunJob(Message):
    """The Celery task's payload: the rest is the store's to tell whoever takes the job."""

    TYPE: ClassVar[str] = "pull.job.run.v1"

    job_id: str


class JobTaken(Message):
    """What the worker that took a job needs."""

    TYPE: ClassVar[str] = "store.job.taken.v1"

    #: Fences off whoever had the job before; every later step carries it.
    token: int
    request: JobRequest
    attempt: int
    #: The plugin to push or upgrade.
    plugin: Plugin | None = None
    #: What the pinned version is made of, as far as it is in the content store; kept for the job.
    kept: tuple[str, ...] = ()


class TakeJob(Command[JobTaken]):
    """Take a queued job, or one whose worker's lease ran out; raises Conflict otherwise."""

    TYPE: ClassVar[str] = "store.job.take.v1"

    job_id: str
    worker: str


class JobLease(Message):
    """The lease after its renewal."""

    TYPE: ClassVar[str] = "store.job.lease.v1"

    lease_s: float
    #: Somebody wishes the job ended: clean up, then fail it.
    cancelled: bool


class RenewJob(Command[JobLease]):
    """Say that the worker is alive; raises Conflict when the token is stale."""

    TYPE: ClassVar[str] = "store.job.renew.v1"

    job_id: str
    token: int


class StagedBlob(Value):
    """A blob that the worker wrote and verified: digest, size in bytes."""

    digest: str
    size: int
    #: File below the job's work folder, `<root>/work/<job id>/`; None: it is in the store already.
    ingest: str | None = None


class KnownBlobs(Message):
    """Which of the blobs asked for are in the content store, kept for the job from now on."""

    TYPE: ClassVar[str] = "store.blob.known.v1"

    digests: tuple[str, ...]


class KeepBlobs(Command[KnownBlobs]):
    """Keep blobs from the collector until the job ends, and tell which of them exist."""

    TYPE: ClassVar[str] = "store.blob.keep.v1"

    job_id: str
    token: int
    digests: tuple[str, ...]


class CommitBlob(Command[Done]):
    """Move verified ingests into the content store, kept until the job ends.

    Blobs that exist are success.
    """

    TYPE: ClassVar[str] = "store.blob.commit.v1"

    job_id: str
    token: int
    blob: StagedBlob
    #: More of them: a sync and a message less for each.
    others: tuple[StagedBlob, ...] = ()


class CommitPlugin(Command[Changed]):
    """End a pull or an upgrade: what lies in the job's work folder becomes the plugin's files.

    Both make the plugin wholly new or leave it as it was. Of the upgrade of an enabled plugin it
    ends only the worker's part: the store goes on by itself, and tells how the job ends.
    """

    TYPE: ClassVar[str] = "store.job.commit.v1"

    job_id: str
    token: int
    #: Docker's plugin config, as its blob has it.
    config: str
    config_digest: str
    manifest_digest: str
    layer_digests: tuple[str, ...]
    signers: tuple[Signer, ...] = ()
    #: Verified files that become blobs with it: a message and a commit less than by themselves.
    blobs: tuple[StagedBlob, ...] = ()


class FinishPush(Command[Done]):
    """End a push, or a prefetch, that succeeded."""

    TYPE: ClassVar[str] = "store.job.finish.v1"

    job_id: str
    token: int


class FailJob(Command[Done]):
    """End a job with an error, the wire form of errdefs; its work folder is deleted."""

    TYPE: ClassVar[str] = "store.job.fail.v1"

    job_id: str
    token: int
    error: dict[str, Any]


class JobProgress(Message):
    """A line of a job's progress; *id* names the layer or blob it is about."""

    TYPE: ClassVar[str] = "pull.job.progress.v1"

    status: str = ""
    id: str = ""
    current: int | None = None
    total: int | None = None
    #: Docker's `aux` object: what a push made.
    aux: dict[str, Any] | None = None


class JobEnded(Message):
    """The last message of a job's progress: the changes it made, or the error."""

    TYPE: ClassVar[str] = "pull.job.ended.v1"

    changed: Changed | None = None
    error: dict[str, Any] | None = None
