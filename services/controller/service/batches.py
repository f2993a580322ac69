"""What people ask of batches: begun, looked at, watched, steered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.controller import ports
from services.controller.domain import selection
from services.controller.domain.batch import BatchRecord, ItemRecord
from services.controller.service import spans
from services.controller.service.board import Board
from services.controller.service.book import Book
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts import batch as contracts
from shared.contracts.batch import Batch, BatchPlugin, BatchReply, BatchState, ItemState
from shared.tasks.lanes import Lanes
from shared.telemetry import context, lasting

#: Plugins in one answer to who watches.
_PAGE: Final = 250
#: Changes that follow one another so closely are told together.
_GATHER_S: Final = 0.15

_PAUSABLE = frozenset({BatchState.PLANNING, BatchState.PREFETCHING, BatchState.UPDATING})
#: From these nothing can be put back: nothing was done, or all is put back already.
_NOT_ROLLED_BACK = frozenset({BatchState.PLANNED, BatchState.FAILED, BatchState.ROLLBACK_COMPLETED})
#: What may be done instead.
_HINTS: Final[Mapping[BatchState, str]] = {
    BatchState.PLANNING: "; nothing is done yet: cancel it",
    BatchState.PLANNED: "; it is a plan alone: begin another one that is no dry run",
    BatchState.FAILED: "; it has no plan: begin another one",
    BatchState.COMPLETED: "; it is over: it can only be rolled back",
    BatchState.CANCELLED: "; it can only be rolled back: begin another one for the rest",
    BatchState.ROLLBACK_COMPLETED: "; all is put back: begin another one",
    BatchState.ROLLBACK_STARTED: "; wait until it is rolled back",
    BatchState.ROLLBACK_PAUSED: "; roll it back again to try those that could not be put back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The handlers; each change is committed before it is answered, and then gone on with."""

    book: Book
    board: Board
    lanes: Lanes
    clock: ports.Clock
    #: Goes on with a batch.
    resume_soon: Callable[[str], None]

    async def create(self, command: contracts.CreateBatch, _delivery: Delivery) -> BatchReply:
        """Keep a batch and begin to plan it; a repeat finds it."""
        async with self.lanes.hold(command.batch_id):
            await self._create(command)
        return self._reply(command.batch_id)

    async def _create(self, command: contracts.CreateBatch) -> None:
        known = self.book.get(command.batch_id)
        if known is None:
            selection.require_sound(command.request)
            known = BatchRecord(
                batch_id=command.batch_id,
                request=command.request,
                credentials=command.credentials,
                state=BatchState.PLANNING,
                created_at_ns=self.clock(),
                traceparent=context.traceparent(),
                span=lasting.begin(self.clock()),
            )
            await self.book.commit(known)
            self.resume_soon(command.batch_id)
        elif known.request != command.request:
            raise errdefs.Conflict(
                f"upgrade {command.batch_id} is another one: use another key for another request",
                detail={"upgrade": command.batch_id},
            )

    async def list(
        self, _command: contracts.ListBatches, _delivery: Delivery
    ) -> contracts.BatchList:
        """Return all batches, newest first."""
        found = reversed(self.book.all())
        return contracts.BatchList(batches=tuple(self._shown(one.batch_id) for one in found))

    async def watch(
        self, command: contracts.WatchBatch, _delivery: Delivery
    ) -> contracts.BatchChanges:
        """Return what has changed since a position, once something has."""
        batch_id = self.book.resolve(command.batch_id).batch_id
        if command.wait_s and command.position:
            await self.board.wait(batch_id, command.position, command.wait_s)
            await asyncio.sleep(_GATHER_S)
        batch = self._shown(batch_id)
        items = {item.planned.number: item for item in self.book.items(batch_id)}
        numbers, position, has_more = self.board.since(
            batch_id, command.position, tuple(items), _PAGE
        )
        plugins = tuple(
            BatchPlugin(plugin=items[number].planned, live=self.board.live(batch_id, number))
            for number in numbers
            if number in items
        )
        return contracts.BatchChanges(
            position=position, batch=batch, plugins=plugins, has_more=has_more
        )

    async def pause(self, command: contracts.PauseBatch, _delivery: Delivery) -> BatchReply:
        """Begin nothing more."""
        batch_id = self.book.resolve(command.batch_id).batch_id
        async with self.lanes.hold(batch_id):
            record = self.book.require(batch_id)
            if record.state in _PAUSABLE:
                await self._move(record, BatchState.PAUSED, "paused by request")
            elif record.state is not BatchState.PAUSED:
                raise _refused(record, "paused")
        return self._reply(batch_id)

    async def resume(self, command: contracts.ResumeBatch, _delivery: Delivery) -> BatchReply:
        """Go on; what has failed until now counts no more."""
        batch_id = self.book.resolve(command.batch_id).batch_id
        async with self.lanes.hold(batch_id):
            record = self.book.require(batch_id)
            if record.state is BatchState.PAUSED:
                items = self.book.items(record.batch_id)
                failed = sum(item.state is ItemState.FAILED for item in items)
                accepted = record.model_copy(update={"accepted_failures": failed})
                is_planned = record.planned_at_ns is not None
                state = BatchState.PREFETCHING if is_planned else BatchState.PLANNING
                await self._set_going(accepted, state, "")
            elif record.state not in _PAUSABLE:
                raise _refused(record, "resumed")
        return self._reply(batch_id)

    async def cancel(self, command: contracts.CancelBatch, _delivery: Delivery) -> BatchReply:
        """Begin nothing more, for good."""
        batch_id = self.book.resolve(command.batch_id).batch_id
        async with self.lanes.hold(batch_id):
            record = self.book.require(batch_id)
            if record.state in _PAUSABLE or record.state is BatchState.PAUSED:
                await self._move(record, BatchState.CANCELLED, "cancelled by request")
            elif record.state is not BatchState.CANCELLED:
                raise _refused(record, "cancelled")
        return self._reply(batch_id)

    async def roll_back(self, command: contracts.RollBackBatch, _delivery: Delivery) -> BatchReply:
        """Put back all that was upgraded; what could not be put back before is tried again."""
        batch_id = self.book.resolve(command.batch_id).batch_id
        async with self.lanes.hold(batch_id):
            record = self.book.require(batch_id)
            if record.state in _NOT_ROLLED_BACK or record.planned_at_ns is None:
                raise _refused(record, "rolled back")
            if record.state is not BatchState.ROLLBACK_STARTED:
                stuck = [
                    item.now(ItemState.UPGRADED)
                    for item in self.book.items(record.batch_id)
                    if item.state is ItemState.ROLLBACK_FAILED
                ]
                await self._set_going(
                    record, BatchState.ROLLBACK_STARTED, "rolled back by request", stuck
                )
        return self._reply(batch_id)

    async def _move(self, record: BatchRecord, state: BatchState, message: str) -> None:
        await self.book.commit(record.now(state, message, self.clock()))
        self.resume_soon(record.batch_id)

    async def _set_going(
        self,
        record: BatchRecord,
        state: BatchState,
        message: str,
        items: Sequence[ItemRecord] = (),
    ) -> None:
        """Move it in the trace of who asks for that, linked to that of who asked for the batch."""
        now_ns = self.clock()
        span = lasting.begin(now_ns, links=(record.traceparent,))
        going = record.now(state, message, now_ns).model_copy(update={"span": span})
        await self.book.commit(going, items=items)
        spans.batch_rests(record, now_ns)
        self.resume_soon(record.batch_id)

    def _shown(self, batch_id: str) -> Batch:
        return self.book.shown(batch_id)

    def _reply(self, batch_id: str) -> BatchReply:
        return BatchReply(batch=self._shown(batch_id))


def _refused(record: BatchRecord, verb: str) -> errdefs.Conflict:
    hint = _HINTS.get(record.state, "")
    return errdefs.Conflict(
        f"upgrade {record.batch_id} is {record.state}: it can't be {verb}{hint}",
        detail={"upgrade": record.batch_id, "state": record.state},
    )
