"""How long the rest of a batch takes, at the pace of the plugins that have had their turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from shared.contracts.batch import BatchState, ItemState, PlannedPlugin, UpdateConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """The states of a plugin whose turn comes, is, and was."""

    waits: ItemState
    moves: ItemState
    ended: frozenset[ItemState]


_COURSES: Mapping[BatchState, _Course] = {
    BatchState.UPDATING: _Course(
        waits=ItemState.PENDING,
        moves=ItemState.UPGRADING,
        ended=frozenset({ItemState.UPGRADED, ItemState.FAILED}),
    ),
    BatchState.ROLLBACK_STARTED: _Course(
        waits=ItemState.UPGRADED,
        moves=ItemState.ROLLING_BACK,
        ended=frozenset({ItemState.ROLLED_BACK, ItemState.ROLLBACK_FAILED}),
    ),
}


def left_s(
    state: BatchState, update: UpdateConfig, plugins: Sequence[PlannedPlugin]
) -> float | None:
    """Return how long the rest takes; None where nothing goes on, or none has ended yet."""
    course = _COURSES.get(state)
    if course is None:
        return None
    turns = [
        (one.ended_at_ns - one.began_at_ns) / 1e9
        for one in plugins
        if one.state in course.ended and one.began_at_ns and one.ended_at_ns
    ]
    waiting = sum(one.state is course.waits for one in plugins)
    moving = sum(one.state is course.moves for one in plugins)
    if not turns or not waiting + moving:
        return None
    width = min(update.parallelism or waiting + moving, waiting + moving)
    # Those that move are half over, one with the other.
    return ((waiting + moving / 2) * fmean(turns) + waiting * update.delay_s) / width
