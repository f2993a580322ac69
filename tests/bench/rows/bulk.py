"""Creating a plugin of many small files."""

from __future__ import annotations

from tests.bench.run import Group, Row, Run

_NAME = "bench/bulk:latest"
_CREATE = "create 100 MB, small files"
_REMOVE = "remove 100 MB, small files"
_ROUNDS = 3


def _measure(run: Run) -> None:
    rounds = 1 if run.is_quick else _ROUNDS
    for number, side in run.turns(rounds):
        context = run.contexts.many_files(str(number))
        with side.api() as api:
            with run.record.turn(_CREATE, side) as turn, turn.timed():
                api.create(_NAME, context)
            with run.record.turn(_REMOVE, side) as turn, turn.timed():
                api.remove(_NAME)


GROUP = Group(name="bulk", rows=(Row(name=_CREATE), Row(name=_REMOVE)), measure=_measure)
