"""The step function of a batch: what is begun when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.controller.domain import plan
from services.controller.domain.batch import BatchRecord, FetchRecord, FetchState, ItemRecord
from services.controller.domain.stepping import Step, step
from shared import errdefs
from shared.contracts.batch import (
    BatchRequest,
    BatchState,
    FailureAction,
    ItemState,
    Target,
    UpdateConfig,
)
from tests.support.batch import installed

_S = 10**9
_PENDING, _MOVING, _DONE, _FAILED = (
    ItemState.PENDING,
    ItemState.UPGRADING,
    ItemState.UPGRADED,
    ItemState.FAILED,
)


def _batch(state: BatchState = BatchState.UPDATING, **update: Any) -> BatchRecord:
    request = BatchRequest(target=Target(tag="v2"), update=UpdateConfig(**update))
    return BatchRecord(batch_id="b", request=request, state=state, created_at_ns=1)


def _items(*states: ItemState, ended_at_s: int = 0) -> tuple[ItemRecord, ...]:
    error = errdefs.Conflict("it ends").to_wire()
    made = []
    for number, state in enumerate(states):
        item = plan.planned("b", number, "n1", installed(f"p{number}"), "r.example/p:v2")
        has_ended = state in (_DONE, _FAILED)
        made.append(
            item.now(
                state,
                ended_at_ns=ended_at_s * _S if has_ended else None,
                error=error if state is _FAILED else None,
            )
        )
    return tuple(made)


def _step(batch: BatchRecord, items: Sequence[ItemRecord], now_s: int = 100) -> Step:
    return step(batch, items, (), now_s * _S)


def _numbers(items: Sequence[ItemRecord]) -> list[int]:
    return [item.planned.number for item in items]


@pytest.mark.parametrize(
    ("parallelism", "states", "begun"),
    [
        (1, (_PENDING, _PENDING), [0]),
        (2, (_PENDING, _PENDING, _PENDING), [0, 1]),
        (2, (_MOVING, _PENDING, _PENDING), [1]),
        (2, (_MOVING, _MOVING, _PENDING), []),
        (2, (_DONE, _MOVING, _PENDING), [2]),
        (0, (_PENDING, _MOVING, _PENDING), [0, 2]),
    ],
)
def test_parallelism(parallelism: int, states: tuple[ItemState, ...], begun: list[int]) -> None:
    """So many are under way, no more."""
    todo = _step(_batch(parallelism=parallelism), _items(*states))

    assert _numbers(todo.upgrade) == begun
    assert todo.state is None


def test_delay() -> None:
    """A place stays free for the delay after an end; that is a moment, not a wait."""
    batch, items = _batch(parallelism=1, delay_s=10), _items(_DONE, _PENDING, ended_at_s=95)

    early, late = _step(batch, items, 100), _step(batch, items, 105)

    assert (early.upgrade, early.due_ns) == ((), 105 * _S)
    assert _numbers(late.upgrade) == [1]


def test_pause_between_tries() -> None:
    """A plugin that is tried again later leaves its place to the next."""
    first, second = _items(_PENDING, _PENDING)
    first = first.model_copy(update={"due_ns": 110 * _S})

    todo = _step(_batch(parallelism=1), (first, second))

    assert _numbers(todo.upgrade) == [1]
    assert todo.due_ns == 110 * _S


def test_completed() -> None:
    """A batch is over when each plugin has had its turn."""
    assert _step(_batch(), _items(_DONE, ItemState.UNCHANGED)).state is BatchState.COMPLETED
    assert _step(_batch(), _items(_DONE, _MOVING)).state is None


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (FailureAction.PAUSE, BatchState.PAUSED),
        (FailureAction.ROLLBACK, BatchState.ROLLBACK_STARTED),
        (FailureAction.CONTINUE, None),
    ],
)
def test_failure_action(action: FailureAction, state: BatchState | None) -> None:
    """More has failed than may: what follows is the action, and why is said."""
    todo = _step(_batch(failure_action=action), _items(_FAILED, _PENDING))

    assert todo.state is state
    assert bool(todo.upgrade) is (state is None)
    said = "p0:latest on n1 failed, and none of 2 may: it ends"
    assert todo.message == (said if state else "")


@pytest.mark.parametrize(
    ("ratio", "failed", "acts"), [(0.2, 2, False), (0.2, 3, True), (1.0, 10, False)]
)
def test_failure_ratio(ratio: float, failed: int, acts: bool) -> None:
    """So much of the batch may fail."""
    items = _items(*[_FAILED] * failed, *[_PENDING] * (10 - failed))

    assert (_step(_batch(max_failure_ratio=ratio), items).state is BatchState.PAUSED) is acts


def test_how_many_may_fail_is_said() -> None:
    """Not how many have: what is under way may follow."""
    todo = _step(_batch(max_failure_ratio=0.25), _items(*[_FAILED] * 3, *[_PENDING] * 7))

    assert "failed, and 2 of 10 may: it ends" in todo.message


def test_accepted_failures() -> None:
    """What had failed when somebody resumed counts no more; the next failure does."""
    batch = _batch().model_copy(update={"accepted_failures": 1})

    assert _step(batch, _items(_FAILED, _PENDING)).state is None
    assert _step(batch, _items(_FAILED, _FAILED, _PENDING)).state is BatchState.PAUSED


def test_rollback() -> None:
    """What is upgraded is put back, the last first; what did not come to its turn stays."""
    batch = _batch(BatchState.ROLLBACK_STARTED, parallelism=1)

    todo = _step(batch, _items(_DONE, _DONE, _FAILED, _PENDING))

    assert _numbers(todo.roll_back) == [1]
    assert [(one.planned.number, one.state) for one in todo.settle] == [(3, ItemState.CANCELLED)]


def test_rollback_waits_for_what_is_under_way() -> None:
    """An upgrade under way ends before the rollback can be over."""
    batch = _batch(BatchState.ROLLBACK_STARTED, parallelism=1)

    assert _step(batch, _items(_MOVING, _FAILED)).state is None


def test_rollback_looks_at_what_is_in_doubt() -> None:
    """A plugin whose node fell silent may be upgraded."""
    (item,) = _items(_FAILED)
    item = item.model_copy(update={"in_doubt": True})

    assert _numbers(_step(_batch(BatchState.ROLLBACK_STARTED), [item]).roll_back) == [0]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ((ItemState.ROLLED_BACK, _FAILED), BatchState.ROLLBACK_COMPLETED),
        ((ItemState.ROLLED_BACK, ItemState.ROLLBACK_FAILED), BatchState.ROLLBACK_PAUSED),
    ],
)
def test_rollback_ends(states: tuple[ItemState, ...], state: BatchState) -> None:
    """It is completed when nothing is left that is upgraded; else it waits for a person."""
    assert _step(_batch(BatchState.ROLLBACK_STARTED), _items(*states)).state is state


def test_cancelled() -> None:
    """What has not begun does not begin."""
    todo = _step(_batch(BatchState.CANCELLED), _items(_MOVING, _PENDING))

    assert [one.planned.number for one in todo.settle] == [1]
    assert todo.upgrade == ()


def _fetch(number: int, state: FetchState, node: str = "n1") -> FetchRecord:
    error = errdefs.NotFound("gone").to_wire() if state is FetchState.FAILED else None
    return FetchRecord(
        batch_id="b",
        number=number,
        node=node,
        remote="r",
        pinned_digest=f"d{number}",
        state=state,
        error=error,
    )


def test_all_is_fetched_first() -> None:
    """No plugin is stopped before everything is there; a node fetches a few at a time."""
    fetches = [_fetch(number, FetchState.PENDING) for number in range(6)]
    batch, items = _batch(BatchState.PREFETCHING), _items(_PENDING)

    todo = step(batch, items, fetches, 0)
    over = step(batch, items, [_fetch(0, FetchState.DONE)], 0)

    assert (len(todo.fetch), todo.upgrade, todo.state) == (4, (), None)
    assert over.state is BatchState.UPDATING


def test_what_can_not_be_fetched_fails_its_plugins() -> None:
    """A plugin fails before it was stopped, and the failure action follows."""
    items = [one.model_copy(update={"pinned_digest": "d0"}) for one in _items(_PENDING)]

    todo = step(_batch(BatchState.PREFETCHING), items, [_fetch(0, FetchState.FAILED)], 0)

    assert [(one.state, one.planned.error) for one in todo.settle] == [
        (_FAILED, errdefs.NotFound("gone").to_wire())
    ]
