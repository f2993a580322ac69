"""How an upgrade of many plugins is, and what may be done with it, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.domain.plugin_view import Tone
from shared.contracts.batch import Batch, BatchState, ItemState

BATCH_TONES: Final[Mapping[BatchState, Tone]] = {
    BatchState.PLANNING: Tone.BUSY,
    BatchState.PLANNED: Tone.OFF,
    BatchState.PREFETCHING: Tone.BUSY,
    BatchState.UPDATING: Tone.BUSY,
    BatchState.PAUSED: Tone.WARN,
    BatchState.COMPLETED: Tone.GOOD,
    BatchState.CANCELLED: Tone.OFF,
    BatchState.ROLLBACK_STARTED: Tone.BUSY,
    BatchState.ROLLBACK_PAUSED: Tone.BAD,
    BatchState.ROLLBACK_COMPLETED: Tone.WARN,
    BatchState.FAILED: Tone.BAD,
}
#: In the order in which they are counted.
ITEM_TONES: Final[Mapping[ItemState, Tone]] = {
    ItemState.UPGRADED: Tone.GOOD,
    ItemState.UPGRADING: Tone.BUSY,
    ItemState.PENDING: Tone.OFF,
    ItemState.UNCHANGED: Tone.OFF,
    ItemState.FAILED: Tone.BAD,
    ItemState.ROLLING_BACK: Tone.BUSY,
    ItemState.ROLLED_BACK: Tone.WARN,
    ItemState.ROLLBACK_FAILED: Tone.BAD,
    ItemState.CANCELLED: Tone.OFF,
}
_WAITING: Final = (ItemState.PENDING, ItemState.UPGRADING, ItemState.ROLLING_BACK)
_GOES_ON: Final = frozenset({BatchState.PLANNING, BatchState.PREFETCHING, BatchState.UPDATING})
_NEVER_BEGUN: Final = frozenset({BatchState.PLANNING, BatchState.PLANNED, BatchState.FAILED})
_ROLLED_BACK: Final = frozenset({BatchState.ROLLBACK_STARTED, BatchState.ROLLBACK_COMPLETED})


def words(state: str) -> str:
    """Return a state as people say it."""
    return state.replace("_", " ")


def total(batch: Batch) -> int:
    """Return how many plugins it is about."""
    return sum(batch.counts.values())


def done(batch: Batch) -> int:
    """Return of how many nothing more is expected."""
    return total(batch) - sum(batch.counts.get(state, 0) for state in _WAITING)


def target(batch: Batch) -> str:
    """Say what plugins become."""
    wish = batch.request.target
    return wish.reference or f"tag {wish.tag}"


def selection(batch: Batch) -> str:
    """Say which plugins it is about."""
    wish = batch.request.selector
    said = [
        ", ".join(wish.names),
        f"capability {wish.capability}" if wish.capability else "",
        f"reference {wish.reference}" if wish.reference else "",
        f"on {', '.join(wish.nodes)}" if wish.nodes else "",
        f"labels {', '.join(wish.node_labels)}" if wish.node_labels else "",
        {None: "", True: "enabled", False: "disabled"}[wish.enabled],
    ]
    return "; ".join(filter(None, said)) or "all plugins"


def controls(batch: Batch) -> tuple[str, ...]:
    """Return what a person may want to do with it now; the controller has the last word."""
    offered = {
        "begin": batch.state is BatchState.PLANNED,
        "pause": batch.state in _GOES_ON,
        "resume": batch.state is BatchState.PAUSED,
        "cancel": batch.state in _GOES_ON or batch.state is BatchState.PAUSED,
        "rollback": batch.state is BatchState.ROLLBACK_PAUSED
        or (
            batch.state not in _NEVER_BEGUN | _ROLLED_BACK
            and bool(batch.counts.get(ItemState.UPGRADED, 0))
        ),
    }
    return tuple(name for name, is_offered in offered.items() if is_offered)
