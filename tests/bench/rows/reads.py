"""Looking, alone and over many connections: inspect and list, of few plugins and of many."""

from __future__ import annotations

from tests.bench import load
from tests.bench.run import Group, Row, Run

_COUNTS = (1, 100, 500)
_NAME = "bench/plugin-0:latest"
#: One is too short for its CPU to be read.
_REQUESTS = 20
_WINDOW_S = 2
_WINDOWS = 3
_PATHS = {"inspect": f"/plugins/{_NAME}/json", "list": "/plugins"}
#: What is told whatever plugins there are.
_OTHER_PATHS = {"_ping": "/_ping", "version": "/version"}


def _measure(run: Run) -> None:
    for what, path in _OTHER_PATHS.items():
        _all_at_once(run, _at_once(what), path)
    there = 0
    for count in _COUNTS:
        for number in range(there, count):
            for side in run.sides:
                with side.api() as api:
                    api.create(f"bench/plugin-{number}:latest", run.contexts.small(str(number)))
        there = count
        for verb in _PATHS:
            _one_by_one(run, verb, count)
            _all_at_once(run, _at_once(_name(verb, count)), _PATHS[verb])
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


def _all_at_once(run: Run, row: str, path: str) -> None:
    """Value is the time of a window for each request answered in it: what a request costs."""
    for _, side in run.turns(1 if run.is_quick else _WINDOWS):
        with run.record.turn(row, side) as turn:
            done = load.get(side.socket, path, seconds=_WINDOW_S)
            turn.values.append(1000 / done.requests_per_s)
            turn.operations += done.requests
    for side in run.sides:
        figures = run.record.figures(row, side.name)
        assert figures is not None
        run.record.note(row, side, f"{1000 / figures.p50:,.0f}/s")


def _name(verb: str, count: int) -> str:
    return f"{verb}, {count} plugin{'s' if count > 1 else ''}"


def _at_once(name: str) -> str:
    return f"{name}, {load.CONNECTIONS} connections"


GROUP = Group(
    name="reads",
    rows=(
        *(Row(name=_at_once(what)) for what in _OTHER_PATHS),
        *(
            Row(name=name)
            for count in _COUNTS
            for verb in _PATHS
            for name in (_name(verb, count), _at_once(_name(verb, count)))
        ),
    ),
    measure=_measure,
)
