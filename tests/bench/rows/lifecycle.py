"""The verbs of one plugin of 1 MB, one after the other."""

from __future__ import annotations

from tests.bench.api import Api
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side

_NAME = "bench/plugin:latest"
#: One is too short for its CPU to be read.
_SETS = 5


def _measure(run: Run) -> None:
    for number, side in run.turns(run.repeat):
        with side.api() as api:
            _cycle(run, side, api, number)


def _cycle(run: Run, side: Side, api: Api, number: int) -> None:
    context = run.contexts.one_mb(f"{number:08}")
    with run.record.turn("create 1 MB", side) as turn, turn.timed():
        api.create(_NAME, context)
    with run.record.turn("set", side) as turn:
        for size in range(_SETS):
            with turn.timed():
                api.set(_NAME, f"DEFAULT_SIZE={number + size + 1}m")
    with run.record.turn("enable", side) as turn, turn.timed():
        api.enable(_NAME)
    with run.record.turn("disable", side) as turn, turn.timed():
        api.disable(_NAME)
    with run.record.turn("remove", side) as turn, turn.timed():
        api.remove(_NAME)


GROUP = Group(
    name="lifecycle",
    rows=(
        Row(name="create 1 MB"),
        Row(name="set"),
        Row(name="enable"),
        Row(name="disable"),
        Row(name="remove"),
    ),
    measure=_measure,
)
