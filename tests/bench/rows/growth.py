"""Whether a node with a thousand plugins is slower than one with ten: two of them, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.bench.record import quantile
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side
from tests.bench.subscribers import subscribed

_FEW, _MANY, _QUICK_MANY = 10, 1_000, 100
_ROUNDS = 15
_REQUESTS = 20
_SETS = 5
_AT_A_TIME = 4
_INSPECT, _LIST, _ENABLE, _EVENT = "inspect", "list, for each plugin", "enable", "event"
_NAME = "bench/grown-0:latest"

#: Times in ms, by what was done.
Times = dict[str, list[float]]


def _measure(run: Run) -> None:
    few = next(side for side in run.sides if side.name == "wherry")
    with run.another_node() as many:
        counts = {few: _FEW, many: _QUICK_MANY if run.is_quick else _MANY}
        for side, count in counts.items():
            _fill(run, side, count)
        times: Mapping[Side, Times] = {side: {} for side in counts}
        for _ in range(2 if run.is_quick else _ROUNDS):
            for side, count in counts.items():
                _look(side, count, times[side])
        for what, grown in times[many].items():
            quotient = quantile(grown, 0.5) / quantile(times[few][what], 0.5)
            run.record.add(_row(what), few, [quotient])
    few.remove_all()


def _fill(run: Run, side: Side, count: int) -> None:
    def create(worker: int) -> None:
        with side.api() as api:
            for number in range(worker, count, _AT_A_TIME):
                name = f"bench/grown-{number}:latest"
                api.create(name, run.contexts.small(name))

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(create, range(_AT_A_TIME)))
    side.settle()


def _look(side: Side, count: int, times: Times) -> None:
    with side.api() as api, subscribed(side.socket, 1) as readers:
        for _ in range(_REQUESTS):
            inspect = _ms(lambda: api.request("GET", f"/plugins/{_NAME}/json"))
            times.setdefault(_INSPECT, []).append(inspect)
            listed = _ms(lambda: api.request("GET", "/plugins")) / count
            times.setdefault(_LIST, []).append(listed)
        for size in range(_SETS):
            readers.expect()
            began = time.monotonic()
            api.set(_NAME, f"DEFAULT_SIZE={size + 1}m")
            (arrived,) = readers.arrivals()
            times.setdefault(_EVENT, []).append(1000 * (arrived - began))
    with side.api() as api:
        times.setdefault(_ENABLE, []).append(_ms(lambda: api.enable(_NAME)))
        api.disable(_NAME)
    side.settle()


def _ms(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return 1000 * (time.perf_counter() - began)


def _row(what: str) -> str:
    return f"growth of {what}"


GROUP = Group(
    name="growth",
    rows=tuple(Row(name=_row(what), unit="x") for what in (_INSPECT, _LIST, _ENABLE, _EVENT)),
    measure=_measure,
)
