"""Batches of upgrades: many plugins on many nodes, as one thing that is watched and steered."""

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from shared.contracts.job import Sealed
from shared.contracts.message import Command, Message, Value
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy


class FailureAction(StrEnum):
    """What a batch does when more of it has failed than may; swarm's words."""

    #: It begins nothing more, and waits for somebody to resume it, cancel it or roll it back.
    PAUSE = "pause"
    #: It goes on.
    CONTINUE = "continue"
    #: It puts back what it has upgraded.
    ROLLBACK = "rollback"


class PrivilegePolicy(StrEnum):
    """What the new versions may be granted."""

    #: Nothing that the installed version does not ask for.
    REQUIRE_SAME = "require-same"
    #: That, and what the request lists.
    GRANT_LISTED = "grant-listed"
    #: Whatever they ask for.
    GRANT_ALL = "grant-all"


class Selector(Value):
    """Which plugins: those that all of its parts fit; an empty part fits every plugin."""

    #: As people name plugins.
    names: tuple[str, ...] = ()
    #: `volumedriver`, or with its prefix and version as the config has it.
    capability: str = ""
    #: A pattern of the references that plugins were installed from: `*` and `?` stand for others.
    reference: str = ""
    #: By name.
    nodes: tuple[str, ...] = ()
    #: `key` or `key=value`, of the node.
    node_labels: tuple[str, ...] = ()
    enabled: bool | None = None


class Target(Value):
    """What they become; one of both."""

    #: For all of them.
    reference: str = ""
    #: Of each plugin's own repository.
    tag: str = ""


class UpdateConfig(Value):
    """How a batch goes on; swarm's words."""

    #: Plugins at a time; 0: all.
    parallelism: int = Field(default=1, ge=0, le=10_000)
    #: Between the end of one and the beginning of the next in its place.
    delay_s: float = Field(default=0.0, ge=0, le=86_400, allow_inf_nan=False)
    #: How long a new version has to last before it counts.
    monitor_s: float = Field(default=5.0, ge=0, le=3600, allow_inf_nan=False)
    #: How much of the batch may fail before the failure action is taken: 0.1 is a tenth.
    max_failure_ratio: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    failure_action: FailureAction = FailureAction.PAUSE
    order: UpgradeStrategy = UpgradeStrategy.STOP_FIRST


class BatchRequest(Value):
    """What a person asked for."""

    selector: Selector = Selector()
    target: Target
    update: UpdateConfig = UpdateConfig()
    policy: PrivilegePolicy = PrivilegePolicy.REQUIRE_SAME
    #: Of the policy `grant-listed`, as Docker's privileges.
    privileges: tuple[dict[str, Any], ...] = ()
    #: Only plan.
    dry_run: bool = False


class BatchState(StrEnum):
    """How far a batch is."""

    #: It is found out which plugins it is about and what they become.
    PLANNING = "planning"
    #: It was a dry run: nothing follows.
    PLANNED = "planned"
    #: What the new versions are made of is fetched; no plugin was stopped yet.
    PREFETCHING = "prefetching"
    UPDATING = "updating"
    PAUSED = "paused"
    COMPLETED = "completed"
    #: Nothing more is begun; what was upgraded stays.
    CANCELLED = "cancelled"
    ROLLBACK_STARTED = "rollback_started"
    #: Some could not be put back.
    ROLLBACK_PAUSED = "rollback_paused"
    ROLLBACK_COMPLETED = "rollback_completed"
    #: There is no plan.
    FAILED = "failed"


class ItemState(StrEnum):
    """How far a plugin of a batch is."""

    PENDING = "pending"
    UPGRADING = "upgrading"
    UPGRADED = "upgraded"
    #: It is what it was before.
    FAILED = "failed"
    #: It has what the target is.
    UNCHANGED = "unchanged"
    #: Its turn did not come.
    CANCELLED = "cancelled"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    #: It is upgraded still.
    ROLLBACK_FAILED = "rollback_failed"


class Difference(Value):
    """Something that an upgrade makes another; None where one has it not."""

    what: str
    old: str | None = None
    new: str | None = None


class PlannedPlugin(Value):
    """A plugin of a batch: what is planned for it, and how far that is."""

    #: From 0, in the order in which their turns come.
    number: int
    node: str
    plugin_id: str
    name: str
    enabled: bool
    from_reference: str
    from_digest: str
    to_reference: str
    #: Of the manifest; empty where it is not known, which *error* says why.
    to_digest: str = ""
    privileges: tuple[Difference, ...] = ()
    settings: tuple[Difference, ...] = ()
    state: ItemState = ItemState.PENDING
    #: How often its upgrade, or rollback, was begun.
    attempt: int = 0
    job_id: str = ""
    began_at_ns: int | None = None
    ended_at_ns: int | None = None
    #: Wire form of the error.
    error: dict[str, Any] | None = None


class Live(Value):
    """How far a plugin's job is at this moment; told, not kept."""

    phase: UpgradePhase | None = None
    status: str = ""
    current_bytes: int = 0
    total_bytes: int = 0


class BatchPlugin(Value):
    """A plugin of a batch as it is shown."""

    plugin: PlannedPlugin
    live: Live = Live()


class Batch(Value):
    """A batch as it is shown."""

    batch_id: str
    request: BatchRequest
    state: BatchState
    #: Why it is in that state, for a person.
    message: str = ""
    #: What was left out of the plan, and why.
    warnings: tuple[str, ...] = ()
    created_at_ns: int
    #: When the plan was made.
    planned_at_ns: int | None = None
    ended_at_ns: int | None = None
    #: By state of the plugin.
    counts: dict[str, int] = Field(default_factory=dict)
    #: The prefetch, where it is under way: how many there are, and how many are over.
    fetches: int = 0
    fetched: int = 0
    #: Whether nothing more happens, and nothing is under way.
    is_over: bool = False
    #: How long the rest takes at the pace of the plugins that have had their turn; None: it is
    #: not known yet, or nothing goes on.
    left_s: float | None = None


class BatchReply(Message):
    """The batch after the command."""

    TYPE: ClassVar[str] = "controller.batch.reply.v1"

    batch: Batch


class BatchList(Message):
    """All batches that are kept, newest first."""

    TYPE: ClassVar[str] = "controller.batch.listed.v1"

    batches: tuple[Batch, ...]


class CreateBatch(Command[BatchReply]):
    """Plan a batch, and begin it unless it is a dry run.

    *batch_id* is the client's choice, so that a repeat is the same batch.
    """

    TYPE: ClassVar[str] = "controller.batch.create.v1"

    batch_id: str
    request: BatchRequest
    #: A login for the registry by node, each sealed to that node's pull service for the batch.
    credentials: dict[str, Sealed] = Field(default_factory=dict)


class ListBatches(Command[BatchList]):
    """Ask for all batches."""

    TYPE: ClassVar[str] = "controller.batch.list.v1"


class BatchChanges(Message):
    """What has changed of a batch since a position: all of it where the position is not known."""

    TYPE: ClassVar[str] = "controller.batch.changes.v1"

    #: To ask for what follows.
    position: str
    batch: Batch
    plugins: tuple[BatchPlugin, ...]
    #: Whether more has changed than fits; ask again at once.
    has_more: bool = False


class WatchBatch(Command[BatchChanges]):
    """Ask what has changed of a batch; waits up to *wait_s* until something has."""

    TYPE: ClassVar[str] = "controller.batch.watch.v1"

    batch_id: str
    #: Empty: from the beginning.
    position: str = ""
    wait_s: float = Field(default=0.0, ge=0, le=30)


class PauseBatch(Command[BatchReply]):
    """Begin nothing more; what is under way ends. A repeat changes nothing."""

    TYPE: ClassVar[str] = "controller.batch.pause.v1"

    batch_id: str


class ResumeBatch(Command[BatchReply]):
    """Go on with a batch that is paused; what has failed until now is accepted."""

    TYPE: ClassVar[str] = "controller.batch.resume.v1"

    batch_id: str


class CancelBatch(Command[BatchReply]):
    """Begin nothing more, for good; what is under way ends, what is upgraded stays."""

    TYPE: ClassVar[str] = "controller.batch.cancel.v1"

    batch_id: str


class RollBackBatch(Command[BatchReply]):
    """Put back all that the batch has upgraded, whether it is over or not."""

    TYPE: ClassVar[str] = "controller.batch.rollback.v1"

    batch_id: str
