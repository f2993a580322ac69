"""How an upgrade of many plugins is, in words."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.domain import batch_view
from services.gateway.domain.batch_view import BATCH_TONES, ITEM_TONES
from shared.contracts.batch import (
    Batch,
    BatchRequest,
    BatchState,
    ItemState,
    Selector,
    Target,
)


def _batch(state: BatchState, **more: Any) -> Batch:
    wish = BatchRequest(target=Target(tag="v2"))
    return Batch(**{"batch_id": "b", "request": wish, "state": state, "created_at_ns": 1, **more})


def test_every_state_has_a_tone() -> None:
    """No state that the controller may tell is without a tone."""
    assert set(BATCH_TONES) == set(BatchState)
    assert set(ITEM_TONES) == set(ItemState)


@pytest.mark.parametrize(
    ("state", "upgraded", "offered"),
    [
        (BatchState.PLANNING, 0, ("pause", "cancel")),
        (BatchState.PLANNED, 0, ("begin",)),
        (BatchState.UPDATING, 0, ("pause", "cancel")),
        (BatchState.UPDATING, 1, ("pause", "cancel", "rollback")),
        (BatchState.PAUSED, 1, ("resume", "cancel", "rollback")),
        (BatchState.COMPLETED, 1, ("rollback",)),
        (BatchState.COMPLETED, 0, ()),
        (BatchState.CANCELLED, 1, ("rollback",)),
        (BatchState.ROLLBACK_STARTED, 1, ()),
        (BatchState.ROLLBACK_PAUSED, 0, ("rollback",)),
        (BatchState.FAILED, 0, ()),
    ],
)
def test_controls(state: BatchState, upgraded: int, offered: tuple[str, ...]) -> None:
    """What is offered is what makes sense in that state."""
    batch = _batch(state, counts={ItemState.UPGRADED: upgraded})
    assert batch_view.controls(batch) == offered


def test_progress() -> None:
    """Done is of what nothing more is expected."""
    counts = {"upgraded": 3, "failed": 1, "pending": 4, "upgrading": 2}
    batch = _batch(BatchState.UPDATING, counts=counts)
    assert (batch_view.done(batch), batch_view.total(batch)) == (4, 10)


def test_selection() -> None:
    """What is selected is said, and that it is all where nothing narrows it."""
    assert batch_view.selection(_batch(BatchState.PLANNED)) == "all plugins"
    some = Selector(names=("a", "b"), capability="volumedriver", enabled=True)
    wish = BatchRequest(selector=some, target=Target(reference="r/x:2"))
    batch = _batch(BatchState.PLANNED, request=wish)
    assert batch_view.selection(batch) == "a, b; capability volumedriver; enabled"
    assert batch_view.target(batch) == "r/x:2"
    assert batch_view.target(_batch(BatchState.PLANNED)) == "tag v2"
    assert batch_view.words("rollback_paused") == "rollback paused"
