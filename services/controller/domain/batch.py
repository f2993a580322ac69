"""A batch as the controller keeps it: what was asked for, its plan, how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field

from services.controller.domain import pace
from shared.contracts.batch import Batch, BatchRequest, BatchState, ItemState, PlannedPlugin
from shared.contracts.job import Sealed
from shared.contracts.message import Value
from shared.contracts.plugin import Plugin
from shared.telemetry.lasting import LastingSpan

#: Nothing more happens by itself.
OVER = frozenset(
    {
        BatchState.PLANNED,
        BatchState.COMPLETED,
        BatchState.CANCELLED,
        BatchState.ROLLBACK_COMPLETED,
        BatchState.FAILED,
    }
)
#: A plugin of these is in the hands of a job.
UNDER_WAY = frozenset({ItemState.UPGRADING, ItemState.ROLLING_BACK})


class BatchRecord(Value):
    """All that is kept of a batch but its plugins."""

    batch_id: str
    request: BatchRequest
    #: By node; gone when the batch is over.
    credentials: dict[str, Sealed] = Field(default_factory=dict)
    state: BatchState
    message: str = ""
    warnings: tuple[str, ...] = ()
    created_at_ns: int
    planned_at_ns: int | None = None
    ended_at_ns: int | None = None
    #: Failures that somebody has accepted by resuming.
    accepted_failures: int = 0
    #: The trace in which it was asked for; empty where none is recorded.
    traceparent: str = ""
    #: From when it was set going until it comes to rest.
    span: LastingSpan | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more happens by itself."""
        return self.state in OVER

    @property
    def was_begun(self) -> bool:
        """Tell whether it was more than a plan: there may be something to put back."""
        return self.planned_at_ns is not None and not self.request.dry_run

    def now(self, state: BatchState, message: str, now_ns: int) -> BatchRecord:
        """Return it in another state, and why; over, it keeps nothing that was sealed."""
        changes: dict[str, Any] = {"state": state, "message": message, "ended_at_ns": None}
        if state in OVER:
            changes |= {"ended_at_ns": now_ns, "credentials": {}}
        return self.model_copy(update=changes)


class ItemRecord(Value):
    """A plugin of a batch."""

    batch_id: str
    planned: PlannedPlugin
    #: What the target stands for at the registry: of an index, the index.
    pinned_digest: str = ""
    #: What the new version is granted, as Docker's privileges.
    grant: tuple[dict[str, Any], ...] = ()
    #: The plugin as it was planned for, in a row that an older controller wrote.
    before: Plugin | None = None
    #: Not before then: a pause between tries.
    due_ns: int = 0
    #: It failed because its node fell silent: it may have been upgraded all the same.
    in_doubt: bool = False
    #: While a job has it in its hands.
    span: LastingSpan | None = None

    @property
    def state(self) -> ItemState:
        """Return how far it is."""
        return self.planned.state

    @property
    def may_be_upgraded(self) -> bool:
        """Tell whether there may be something to put back."""
        return self.state is ItemState.UPGRADED or (
            self.state is ItemState.FAILED and self.in_doubt
        )

    def now(self, state: ItemState, **changes: Any) -> ItemRecord:
        """Return it in another state; *changes* are to what is shown of it."""
        planned = self.planned.model_copy(update={"state": state, **changes})
        return self.model_copy(update={"planned": planned})


class BeforeRecord(Value):
    """A plugin as it was planned for, to be put back: written once, where its item is often."""

    batch_id: str
    number: int
    plugin: Plugin


class FetchState(StrEnum):
    """How far the prefetch of something is."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class FetchRecord(Value):
    """What is fetched once for all plugins of a node that become it."""

    batch_id: str
    number: int
    node: str
    remote: str
    pinned_digest: str
    state: FetchState = FetchState.PENDING
    attempt: int = 0
    error: dict[str, Any] | None = None


def item_key(batch_id: str, number: int) -> str:
    """Return the key of a plugin's row; rows are in the order of their numbers."""
    return f"{batch_id}/{number:06d}"


def job_id(batch_id: str, what: str, number: int, attempt: int) -> str:
    """Return the id of a job: the same for the same try, so that a second copy is refused."""
    return f"{batch_id}-{what}{number}-{attempt}"


def shown(
    record: BatchRecord, items: Sequence[ItemRecord], fetches: Sequence[FetchRecord]
) -> Batch:
    """Return a batch as it is shown."""
    counts = Counter(item.state.value for item in items)
    over = (FetchState.DONE, FetchState.FAILED)
    return Batch(
        batch_id=record.batch_id,
        request=record.request,
        state=record.state,
        message=record.message,
        warnings=record.warnings,
        created_at_ns=record.created_at_ns,
        planned_at_ns=record.planned_at_ns,
        ended_at_ns=record.ended_at_ns,
        counts=dict(counts),
        fetches=len(fetches),
        fetched=sum(fetch.state in over for fetch in fetches),
        is_over=record.is_over and not any(item.state in UNDER_WAY for item in items),
        left_s=pace.left_s(record.state, record.request.update, [one.planned for one in items]),
    )
