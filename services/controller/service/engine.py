"""Drives batches: what the step function says is committed, then done; a crash loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from services.controller import ports
from services.controller.domain import batch, stepping
from services.controller.domain.batch import BatchRecord, FetchRecord, FetchState, ItemRecord
from services.controller.domain.stepping import Step
from services.controller.service import spans
from services.controller.service.book import Book
from services.controller.service.planner import Planner
from services.controller.service.upgrades import Upgrades
from shared import errdefs
from shared.contracts.batch import BatchState, ItemState
from shared.tasks.background import Tasks, until_done
from shared.tasks.lanes import Lanes
from shared.telemetry import lasting

log = structlog.get_logger()

#: Batches that are kept once they are over, and as many plans alone; the oldest go first.
_KEPT = 20


class Engine:
    """A task for each batch that goes on, and one for each job that one has under way."""

    def __init__(
        self,
        *,
        book: Book,
        planner: Planner,
        upgrades: Upgrades,
        lanes: Lanes,
        clock: ports.Clock,
    ) -> None:
        self._book = book
        self._planner = planner
        self._upgrades = upgrades
        self._lanes = lanes
        self._clock = clock
        self._batches, self._jobs = Tasks(), Tasks()
        self._running: set[str] = set()
        self._is_closed = False

    def resume_all(self) -> None:
        """Go on with all batches where they are, after *close* as well."""
        self._is_closed = False
        for record in self._book.all():
            self.resume(record.batch_id)

    def resume(self, batch_id: str) -> None:
        """Go on with a batch, in the background; a repeat changes nothing."""
        self._batches.ensure(batch_id, self._drive(batch_id))

    async def close(self) -> None:
        """Stop; jobs that were begun go on at their nodes."""
        # What is cancelled may be at the end of one job, and about to begin the next.
        self._is_closed = True
        await self._batches.cancel_all()
        await self._jobs.cancel_all()
        self._running.clear()

    async def _drive(self, batch_id: str) -> None:
        is_at_rest = False
        while not is_at_rest:
            is_at_rest = await until_done(lambda: self._round(batch_id))

    async def _round(self, batch_id: str) -> bool:
        """Go on with a batch; tell whether it rests now, or is gone."""
        record = self._book.get(batch_id)
        if record is not None:
            with lasting.within(record.span):
                if not await self._go_on(record):
                    return False
        await self._prune()
        return True

    async def _go_on(self, record: BatchRecord) -> bool:
        """Do what is next, and wait until something changes; tell whether the batch rests now."""
        batch_id = record.batch_id
        if record.state is BatchState.PLANNING:
            await self._plan(batch_id)
            return False
        moved = self._book.moved(batch_id)
        due_ns = await self._advance(batch_id)
        if moved.is_set():
            return False
        if self._is_settled(batch_id):
            return await self._rest(batch_id)
        await self._wait(moved, due_ns)
        return False

    async def _rest(self, batch_id: str) -> bool:
        """Let a batch rest, and tell its span; False: somebody has set it going meanwhile."""
        async with self._lanes.hold(batch_id):
            if not self._is_settled(batch_id):
                return False
            record = self._book.require(batch_id)
            if record.span is not None:
                await self._book.commit(record.model_copy(update={"span": None}))
                spans.batch_rests(record, self._clock())
        return True

    async def _plan(self, batch_id: str) -> None:
        """Commit a batch's plan; what stands in its way ends the batch."""
        record = self._book.require(batch_id)
        try:
            with spans.planning(batch_id):
                plan = await self._planner.plan(record)
        except (errdefs.NotFound, errdefs.InvalidArgument) as error:
            await self._fail(batch_id, error.message)
            return
        async with self._lanes.hold(batch_id):
            record = self._book.require(batch_id)
            now_ns = self._clock()
            if record.state is BatchState.PLANNING:
                is_dry = record.request.dry_run
                state = BatchState.PLANNED if is_dry else BatchState.PREFETCHING
                record = record.now(state, "", now_ns)
            planned = {"planned_at_ns": now_ns, "warnings": plan.warnings}
            record = record.model_copy(update=planned)
            await self._book.commit(
                record, items=plan.items, earlier=plan.earlier, fetches=plan.fetches
            )

    async def _fail(self, batch_id: str, message: str) -> None:
        """End a batch that has no plan, unless somebody has steered it meanwhile."""
        async with self._lanes.hold(batch_id):
            record = self._book.require(batch_id)
            if record.state is BatchState.PLANNING:
                await self._book.commit(record.now(BatchState.FAILED, message, self._clock()))

    async def _advance(self, batch_id: str) -> int | None:
        """Do what is to be done now; return when something is due by itself."""
        async with self._lanes.hold(batch_id):
            todo = await self._step(self._book.require(batch_id))
        self._go(batch_id)
        return todo.due_ns

    async def _step(
        self, record: BatchRecord, ended: ItemRecord | None = None, fetch: FetchRecord | None = None
    ) -> Step:
        """Commit what is next, together with what has just *ended*; called in the batch's lane."""
        items = {one.planned.number: one for one in self._book.items(record.batch_id)}
        fetches = {one.number: one for one in self._book.fetches(record.batch_id)}
        if ended is not None:
            items[ended.planned.number] = ended
        if fetch is not None:
            fetches[fetch.number] = fetch
        todo = stepping.step(record, tuple(items.values()), tuple(fetches.values()), self._clock())
        await self._commit(record, todo, ended, fetch)
        return todo

    async def _commit(
        self, record: BatchRecord, todo: Step, ended: ItemRecord | None, fetch: FetchRecord | None
    ) -> None:
        items = [
            *([ended] if ended else []),
            *(self._begun(record, one, ItemState.UPGRADING) for one in todo.upgrade),
            *(self._begun(record, one, ItemState.ROLLING_BACK) for one in todo.roll_back),
            *todo.settle,
        ]
        fetches = [
            *([fetch] if fetch else []),
            *(
                one.model_copy(update={"state": FetchState.RUNNING, "attempt": one.attempt + 1})
                for one in todo.fetch
            ),
        ]
        changed = None
        if todo.state is not None and todo.state is not record.state:
            log.info("batch", batch=record.batch_id, state=todo.state, message=todo.message)
            changed = record.now(todo.state, todo.message, self._clock())
        if items or fetches or changed:
            await self._book.commit(changed, items=items, fetches=fetches)

    def _begun(self, record: BatchRecord, item: ItemRecord, state: ItemState) -> ItemRecord:
        planned, now_ns = item.planned, self._clock()
        what = "u" if state is ItemState.UPGRADING else "r"
        tried = planned.attempt if f"-{what}" in planned.job_id else 0
        attempt = tried + 1
        job_id = batch.job_id(item.batch_id, what, planned.number, attempt)
        span = lasting.begin(now_ns, above=record.span) if record.span else None
        return item.now(
            state, attempt=attempt, job_id=job_id, began_at_ns=now_ns, ended_at_ns=None
        ).model_copy(update={"span": span})

    def _go(self, batch_id: str) -> None:
        """See to it that each job that is committed as begun is run."""
        for fetch in self._book.fetches(batch_id):
            if fetch.state is FetchState.RUNNING:
                job_id = batch.job_id(batch_id, "f", fetch.number, fetch.attempt)
                self._ensure(job_id, partial(self._fetch, fetch))
        for item in self._book.items(batch_id):
            if item.state in batch.UNDER_WAY:
                self._ensure(item.planned.job_id, partial(self._run, item))

    def _ensure(self, job_id: str, run: Callable[[], Awaitable[None]]) -> None:
        if job_id not in self._running and not self._is_closed:
            self._running.add(job_id)
            self._jobs.ensure(job_id, self._one(job_id, run))

    async def _one(self, job_id: str, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await until_done(run)
        finally:
            self._running.discard(job_id)

    async def _fetch(self, fetch: FetchRecord) -> None:
        ended = await self._upgrades.fetch(fetch.batch_id, fetch.number)
        async with self._lanes.hold(fetch.batch_id):
            await self._step(self._book.require(fetch.batch_id), fetch=ended)
        self._go(fetch.batch_id)

    async def _run(self, item: ItemRecord) -> None:
        batch_id, number = item.batch_id, item.planned.number
        is_upgrade = item.state is ItemState.UPGRADING
        run = self._upgrades.upgrade if is_upgrade else self._upgrades.roll_back
        ended = await run(batch_id, number)
        async with self._lanes.hold(batch_id):
            await self._step(self._book.require(batch_id), ended)
        spans.plugin_ended(item, ended, self._clock())
        self._go(batch_id)

    def _is_settled(self, batch_id: str) -> bool:
        """Tell whether nothing more happens of a batch until somebody says something."""
        record = self._book.require(batch_id)
        if any(item.state in batch.UNDER_WAY for item in self._book.items(batch_id)):
            return False
        if any(one.state is FetchState.RUNNING for one in self._book.fetches(batch_id)):
            return False
        return record.is_over or record.state in (BatchState.PAUSED, BatchState.ROLLBACK_PAUSED)

    async def _wait(self, moved: asyncio.Event, due_ns: int | None) -> None:
        limit_s = None if due_ns is None else max(0.01, (due_ns - self._clock()) / 1e9)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await moved.wait()

    async def _prune(self) -> None:
        # One whose job is under way has yet to note its end.
        over = [
            record
            for record in self._book.all()
            if record.is_over and self._is_settled(record.batch_id)
        ]
        for was_begun in (True, False):
            alike = [record for record in over if record.was_begun is was_begun]
            for record in alike[:-_KEPT]:
                await self._book.drop(record.batch_id)
