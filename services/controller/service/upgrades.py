"""The jobs of a batch: an upgrade, its rollback, a prefetch; and what each end makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog

from services.controller import ports
from services.controller.domain import batch
from services.controller.domain.batch import BatchRecord, FetchRecord, FetchState, ItemRecord
from services.controller.service.board import Board
from services.controller.service.book import Book
from services.controller.service.job_runs import Ended, InDoubtError, JobRuns
from shared import errdefs
from shared.contracts.batch import ItemState, Live
from shared.contracts.job import JobKind, JobProgress, JobRequest
from shared.contracts.plugin import Plugin
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy
from shared.telemetry import lasting

log = structlog.get_logger()

#: Tries of one plugin, or prefetch, whose worker could not do it for want of something; whoever
#: asks for a rollback again gives it as many.
_MAX_ATTEMPTS = 3
_PAUSE_S = 5.0
#: What a worker lacked may be there the next time.
_PASSING = frozenset({errdefs.Unavailable.code, errdefs.DeadlineExceeded.code})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """Runs the jobs of batches; each method is safe to repeat, and goes on with the same job.

    Each returns what has become of it, which is to be committed.
    """

    book: Book
    board: Board
    runs: JobRuns
    clock: ports.Clock

    async def fetch(self, batch_id: str, number: int) -> FetchRecord:
        """Have something fetched that the plugins of a node become."""
        record, fetch = self.book.require(batch_id), self.book.fetch(batch_id, number)
        job_id = batch.job_id(batch_id, "f", number, fetch.attempt)
        error = await self._error_of(fetch.node, job_id, _prefetch(record, fetch))
        if error is None:
            return fetch.model_copy(update={"state": FetchState.DONE})
        if error["code"] in _PASSING and fetch.attempt < _MAX_ATTEMPTS:
            return fetch.model_copy(update={"state": FetchState.PENDING, "error": error})
        return fetch.model_copy(update={"state": FetchState.FAILED, "error": error})

    async def upgrade(self, batch_id: str, number: int) -> ItemRecord:
        """Upgrade a plugin that is upgrading."""
        record, item = self.book.require(batch_id), self.book.item(batch_id, number)
        ended, in_doubt = await self._run(item, _upgrade(record, item))
        if ended.error is None:
            return self._over(item.now(ItemState.UPGRADED, error=None))
        if _is_to_be_tried_again(item, ended):
            return self._again(item, ItemState.PENDING, ended.error)
        failed = item.now(ItemState.FAILED, error=ended.error)
        return self._over(failed.model_copy(update={"in_doubt": in_doubt}))

    async def roll_back(self, batch_id: str, number: int) -> ItemRecord:
        """Put a plugin back that is rolling back."""
        record, item = self.book.require(batch_id), self.book.item(batch_id, number)
        before = self.book.before(item)
        ended, _ = await self._run(item, _rollback(record, item, before))
        if ended.error is None:
            return self._over(item.now(ItemState.ROLLED_BACK, error=None))
        if _is_to_be_tried_again(item, ended):
            return self._again(item, ItemState.UPGRADED, ended.error)
        return self._over(item.now(ItemState.ROLLBACK_FAILED, error=ended.error))

    async def _run(self, item: ItemRecord, request: JobRequest) -> tuple[Ended, bool]:
        """Return how the job ended, and whether that leaves doubt."""
        planned = item.planned
        try:
            with lasting.within(item.span):
                ended = await self.runs.run(
                    planned.node, planned.job_id, request, lambda said: self._tell(item, said)
                )
        except InDoubtError as silence:
            return Ended(error=silence.error.to_wire()), True
        except errdefs.Error as error:
            return Ended(error=error.to_wire()), False
        finally:
            self.board.hush(item.batch_id, planned.number)
        return ended, False

    async def _error_of(self, node: str, job_id: str, request: JobRequest) -> dict[str, Any] | None:
        try:
            return (await self.runs.run(node, job_id, request, lambda _said: None)).error
        except InDoubtError as silence:
            return silence.error.to_wire()
        except errdefs.Error as error:
            return error.to_wire()

    def _again(self, item: ItemRecord, state: ItemState, error: dict[str, Any]) -> ItemRecord:
        log.info("plugin tried again", plugin=item.planned.name, reason=error.get("message"))
        due_ns = self.clock() + int(_PAUSE_S * 1e9)
        return item.now(state, error=error).model_copy(update={"due_ns": due_ns, "span": None})

    def _over(self, ended: ItemRecord) -> ItemRecord:
        planned = ended.planned.model_copy(update={"ended_at_ns": self.clock()})
        return ended.model_copy(update={"planned": planned, "span": None})

    def _tell(self, item: ItemRecord, said: JobProgress) -> None:
        before = self.board.live(item.batch_id, item.planned.number)
        self.board.tell(item.batch_id, item.planned.number, _moved(before, said))


def _moved(before: Live, said: JobProgress) -> Live:
    if said.total:
        return before.model_copy(
            update={
                "status": said.status,
                "current_bytes": said.current or 0,
                "total_bytes": said.total,
            }
        )
    return Live(status=said.status)


def _is_to_be_tried_again(item: ItemRecord, ended: Ended) -> bool:
    """Tell whether only the worker's part failed, for want of something that may come back."""
    code = (ended.error or {}).get("code")
    is_workers = ended.phase is UpgradePhase.PREFETCH
    return is_workers and code in _PASSING and bool(item.planned.attempt % _MAX_ATTEMPTS)


def _prefetch(record: BatchRecord, fetch: FetchRecord) -> JobRequest:
    return JobRequest(
        kind=JobKind.PREFETCH,
        name=f"{fetch.remote}@{fetch.pinned_digest}",
        remote=fetch.remote,
        pinned_digest=fetch.pinned_digest,
        credentials=record.credentials.get(fetch.node),
        credentials_subject=record.batch_id,
        batch_id=record.batch_id,
    )


def _upgrade(record: BatchRecord, item: ItemRecord) -> JobRequest:
    planned, config = item.planned, record.request.update
    return JobRequest(
        kind=JobKind.UPGRADE,
        name=planned.name,
        remote=planned.to_reference,
        pinned_digest=item.pinned_digest,
        privileges=item.grant,
        credentials=record.credentials.get(planned.node),
        credentials_subject=record.batch_id,
        strategy=config.order,
        monitor_s=config.monitor_s,
        batch_id=record.batch_id,
    )


def _rollback(record: BatchRecord, item: ItemRecord, before: Plugin) -> JobRequest:
    planned, config = item.planned, record.request.update
    return JobRequest(
        kind=JobKind.UPGRADE,
        name=planned.name,
        remote=planned.from_reference,
        pinned_digest=planned.from_digest,
        restore=before,
        credentials=record.credentials.get(planned.node),
        credentials_subject=record.batch_id,
        strategy=config.order if before.extension.handover else UpgradeStrategy.STOP_FIRST,
        monitor_s=config.monitor_s,
        batch_id=record.batch_id,
    )
