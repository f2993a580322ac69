"""The step function of a batch: what is to be begun now, from what is kept of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.controller.domain.batch import (
    UNDER_WAY,
    BatchRecord,
    FetchRecord,
    FetchState,
    ItemRecord,
)
from shared.contracts.batch import BatchState, FailureAction, ItemState

#: Prefetches of one node at a time: each has its layers side by side.
_FETCHES_PER_NODE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a batch does next; nothing of it: it waits for what is under way, or for *due_ns*."""

    fetch: tuple[FetchRecord, ...] = ()
    upgrade: tuple[ItemRecord, ...] = ()
    roll_back: tuple[ItemRecord, ...] = ()
    #: Items that become another state without anything being done.
    settle: tuple[ItemRecord, ...] = ()
    #: The state that the batch goes into, and why.
    state: BatchState | None = None
    message: str = ""
    due_ns: int | None = None


def step(
    batch: BatchRecord,
    items: Sequence[ItemRecord],
    fetches: Sequence[FetchRecord],
    now_ns: int,
) -> Step:
    """Return what is to be done now."""
    match batch.state:
        case BatchState.PREFETCHING:
            return _prefetch(batch, items, fetches)
        case BatchState.UPDATING:
            return _update(batch, items, now_ns)
        case BatchState.ROLLBACK_STARTED:
            return _roll_back(batch, items, now_ns)
        case BatchState.CANCELLED:
            return Step(settle=_cancelled(items))
        case _:
            return Step()


def _prefetch(
    batch: BatchRecord, items: Sequence[ItemRecord], fetches: Sequence[FetchRecord]
) -> Step:
    failed = {(one.node, one.pinned_digest): one for one in fetches if _failed(one)}
    settle = tuple(
        item.now(ItemState.FAILED, error=failed[_wants(item)].error)
        for item in items
        if item.state is ItemState.PENDING and _wants(item) in failed
    )
    live = [one for one in fetches if one.state in (FetchState.PENDING, FetchState.RUNNING)]
    if not live:
        return Step(settle=settle, state=BatchState.UPDATING)
    acted = _acted(batch, items)
    return acted or Step(fetch=_fetchable(live), settle=settle)


def _failed(fetch: FetchRecord) -> bool:
    return fetch.state is FetchState.FAILED


def _wants(item: ItemRecord) -> tuple[str, str]:
    return item.planned.node, item.pinned_digest


def _fetchable(live: Iterable[FetchRecord]) -> tuple[FetchRecord, ...]:
    running: dict[str, int] = {}
    chosen = []
    for fetch in sorted(live, key=lambda one: one.state is FetchState.PENDING):
        count = running.get(fetch.node, 0)
        if fetch.state is FetchState.PENDING:
            if count >= _FETCHES_PER_NODE:
                continue
            chosen.append(fetch)
        running[fetch.node] = count + 1
    return tuple(chosen)


def _update(batch: BatchRecord, items: Sequence[ItemRecord], now_ns: int) -> Step:
    acted = _acted(batch, items)
    if acted is not None:
        return acted
    pending = [item for item in items if item.state is ItemState.PENDING]
    if not pending and not any(item.state in UNDER_WAY for item in items):
        return Step(state=BatchState.COMPLETED, message=_summary(items))
    chosen, due_ns = _chosen(batch, items, pending, now_ns)
    return Step(upgrade=chosen, due_ns=due_ns)


def _acted(batch: BatchRecord, items: Sequence[ItemRecord]) -> Step | None:
    """Return the failure action, if more has failed than may."""
    failed = [item for item in items if item.state is ItemState.FAILED]
    counted = sum(item.state is not ItemState.UNCHANGED for item in items)
    config = batch.request.update
    surplus = len(failed) - batch.accepted_failures
    if surplus <= 0 or surplus <= config.max_failure_ratio * counted:
        return None
    last = max(failed, key=lambda item: item.planned.ended_at_ns or 0).planned
    why = (last.error or {}).get("message", "no reason was given")
    allowed = math.floor(config.max_failure_ratio * counted) + batch.accepted_failures
    # No count of what has failed: what is under way may follow.
    message = f"{last.name} on {last.node} failed, and {allowed or 'none'} of {counted} may: {why}"
    match config.failure_action:
        case FailureAction.PAUSE:
            return Step(state=BatchState.PAUSED, message=message)
        case FailureAction.ROLLBACK:
            return Step(state=BatchState.ROLLBACK_STARTED, message=message)
        case FailureAction.CONTINUE:
            return None


def _roll_back(batch: BatchRecord, items: Sequence[ItemRecord], now_ns: int) -> Step:
    """Put back what is upgraded, the last first; what was under way ends before its turn comes."""
    settle = _cancelled(items)
    upgraded = [item for item in reversed(items) if item.may_be_upgraded]
    if not upgraded and not any(item.state in UNDER_WAY for item in items):
        stuck = [item for item in items if item.state is ItemState.ROLLBACK_FAILED]
        state = BatchState.ROLLBACK_PAUSED if stuck else BatchState.ROLLBACK_COMPLETED
        names = ", ".join(f"{one.planned.name} on {one.planned.node}" for one in stuck[:5])
        message = f"{len(stuck)} could not be put back: {names}" if stuck else batch.message
        return Step(settle=settle, state=state, message=message)
    chosen, due_ns = _chosen(batch, items, upgraded, now_ns)
    return Step(settle=settle, roll_back=chosen, due_ns=due_ns)


def _chosen(
    batch: BatchRecord, items: Sequence[ItemRecord], waiting: Sequence[ItemRecord], now_ns: int
) -> tuple[tuple[ItemRecord, ...], int | None]:
    """Return those whose turn has come, and when the next turn comes by itself."""
    config = batch.request.update
    delay_ns = int(config.delay_s * 1e9)
    resting = [
        ended + delay_ns
        for item in items
        if delay_ns and (ended := item.planned.ended_at_ns) and ended + delay_ns > now_ns
    ]
    busy = sum(item.state in UNDER_WAY for item in items) + len(resting)
    free = len(waiting) if config.parallelism == 0 else max(0, config.parallelism - busy)
    ready = [item for item in waiting if item.due_ns <= now_ns]
    dues = [*resting, *(item.due_ns for item in waiting if item.due_ns > now_ns)]
    return tuple(ready[:free]), min(dues, default=None)


def _cancelled(items: Sequence[ItemRecord]) -> tuple[ItemRecord, ...]:
    return tuple(item.now(ItemState.CANCELLED) for item in items if item.state is ItemState.PENDING)


def _summary(items: Sequence[ItemRecord]) -> str:
    failed = sum(item.state is ItemState.FAILED for item in items)
    return f"{failed} of {len(items)} failed" if failed else ""
