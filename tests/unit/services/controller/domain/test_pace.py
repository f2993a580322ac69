"""How long the rest of a batch takes."""

from __future__ import annotations

import pytest

from services.controller.domain import pace
from shared.contracts.batch import BatchState, ItemState, PlannedPlugin, UpdateConfig

_S = 10**9


def _plugin(state: ItemState, took_s: int = 0) -> PlannedPlugin:
    planned = PlannedPlugin(
        number=0,
        node="n",
        plugin_id="p",
        name="p",
        enabled=True,
        from_reference="r",
        from_digest="d",
        to_reference="r",
        state=state,
    )
    times = {"began_at_ns": 100 * _S, "ended_at_ns": (100 + took_s) * _S}
    return planned.model_copy(update=times) if took_s else planned


_TWO_OVER = [_plugin(ItemState.UPGRADED, 4), _plugin(ItemState.FAILED, 2)]
_LEFT = [*[_plugin(ItemState.PENDING)] * 6, _plugin(ItemState.UNCHANGED)]


@pytest.mark.parametrize(
    ("update", "expected_s"),
    [
        (UpdateConfig(parallelism=1), 18),
        (UpdateConfig(parallelism=2), 9),
        (UpdateConfig(parallelism=0), 3),
        (UpdateConfig(parallelism=2, delay_s=1), 12),
    ],
)
def test_updating(update: UpdateConfig, expected_s: float) -> None:
    """The rest takes as long as those before, so many at a time; what is unchanged takes none."""
    assert pace.left_s(BatchState.UPDATING, update, [*_TWO_OVER, *_LEFT]) == expected_s


def test_what_moves_is_half_over() -> None:
    """A plugin that has its turn takes half of one more."""
    plugins = [*_TWO_OVER, _plugin(ItemState.UPGRADING)]
    assert pace.left_s(BatchState.UPDATING, UpdateConfig(), plugins) == 1.5


def test_rolling_back() -> None:
    """What was upgraded is what is left, and how long that took says nothing."""
    plugins = [_plugin(ItemState.UPGRADED, 900), _plugin(ItemState.ROLLED_BACK, 5)]
    assert pace.left_s(BatchState.ROLLBACK_STARTED, UpdateConfig(), plugins) == 5


@pytest.mark.parametrize(
    ("state", "plugins"),
    [
        (BatchState.PAUSED, [*_TWO_OVER, *_LEFT]),
        (BatchState.UPDATING, _LEFT),
        (BatchState.UPDATING, [_plugin(ItemState.FAILED), *_LEFT]),
        (BatchState.UPDATING, _TWO_OVER),
    ],
)
def test_unknown(state: BatchState, plugins: list[PlannedPlugin]) -> None:
    """Nothing is said where nothing goes on, before the first has ended, or after the last."""
    assert pace.left_s(state, UpdateConfig(), plugins) is None
