"""Looking: inspect and list, with 1 and with 100 plugins, alone and over many connections."""

from __future__ import annotations

from tests.bench import load
from tests.bench.run import Group, Row, Run

_COUNTS = (1, 100)
_NAME = "bench/plugin-0:latest"
#: One is too short for its CPU to be read.
_REQUESTS = 20
_WINDOW_S = 2.0
_WINDOWS = 3
_PATHS = {"inspect": f"/plugins/{_NAME}/json", "list": "/plugins"}


def _measure(run: Run) -> None:
    there = 0
    for count in _COUNTS:
        for number in range(there, count):
            for side in run.sides:
                with side.api() as api:
                    api.create(f"bench/plugin-{number}:latest", run.contexts.small(str(number)))
        there = count
        for verb in _PATHS:
            _one_by_one(run, verb, count)
            _all_at_once(run, verb, count)
    for side in run.sides:
        side.remove_all()


def _one_by_one(run: Run, verb: str, count: int) -> None:
    for _, side in run.turns(max(1, run.repeat // 3)):
        with side.api() as api:
            api.is_served()  # the connection is open before the first is timed
            with run.record.turn(_name(verb, count), side) as turn:
                for _ in range(_REQUESTS):
                    with turn.timed():
                        api.request("GET", _PATHS[verb])


def _all_at_once(run: Run, verb: str, count: int) -> None:
    """Value is the time of a window for each request answered in it: what a request costs."""
    row = _name(verb, count, load.CONNECTIONS)
    for _, side in run.turns(1 if run.is_quick else _WINDOWS):
        with run.record.turn(row, side) as turn:
            done = load.get(side.socket, _PATHS[verb], seconds=_WINDOW_S)
            turn.values.append(1000 * done.seconds / done.requests)
            turn.operations += done.requests
    for side in run.sides:
        figures = run.record.figures(row, side.name)
        assert figures is not None
        run.record.note(row, side, f"{1000 / figures.p50:,.0f}/s")


def _name(verb: str, count: int, connections: int = 1) -> str:
    at_once = f", {connections} connections" if connections > 1 else ""
    return f"{verb}, {count} plugin{'s' if count > 1 else ''}{at_once}"


GROUP = Group(
    name="reads",
    rows=tuple(
        Row(name=_name(verb, count, connections))
        for count in _COUNTS
        for verb in _PATHS
        for connections in (1, load.CONNECTIONS)
    ),
    measure=_measure,
)
