"""Many plugins, eight at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench.api import Api
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side

_COUNT = 100
_AT_A_TIME = 8
_ROUNDS = 2
_ENABLE = f"enable {_COUNT}, {_AT_A_TIME} at a time"
_DISABLE = f"disable {_COUNT}, {_AT_A_TIME} at a time"
_NAMES = [f"bench/many-{number}:latest" for number in range(_COUNT)]


def _measure(run: Run) -> None:
    for side in run.sides:
        with side.api() as api:
            for name in _NAMES:
                api.create(name, run.contexts.small(name))
        side.settle()
    for _, side in run.turns(1 if run.is_quick else _ROUNDS):
        with run.record.turn(_ENABLE, side) as turn, turn.timed():
            _all(side, Api.enable)
        with run.record.turn(_DISABLE, side) as turn, turn.timed():
            _all(side, Api.disable)
    for side in run.sides:
        side.remove_all()


def _all(side: Side, do: Callable[[Api, str], None]) -> None:
    """Do it to all, each worker over a connection of its own."""
    shares = [_NAMES[worker::_AT_A_TIME] for worker in range(_AT_A_TIME)]

    def work(names: list[str]) -> None:
        with side.api() as api:
            for name in names:
                do(api, name)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(work, shares))


GROUP = Group(name="many", rows=(Row(name=_ENABLE), Row(name=_DISABLE)), measure=_measure)
