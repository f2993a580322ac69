"""How soon after its answer an action is an event, and how many events a second there can be."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.bench import feed
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side
from tests.bench.subscribers import Subscribers, subscribed

_SUBSCRIBERS = 100
_SOON = f"event, answer to {_SUBSCRIBERS} subscribers"
_THROUGHPUT = "events through the feed"
_NAME = "bench/told:latest"
_ROUNDS = 10
_FEED_ROUNDS = 3
_EVENTS, _QUICK_EVENTS = 20_000, 2_000


def _measure(run: Run) -> None:
    for side in run.sides:
        with side.api() as api:
            api.create(_NAME, run.contexts.small(_NAME))
        side.settle()
    for _, side in run.turns(2 if run.is_quick else _ROUNDS):
        with subscribed(side.socket, _SUBSCRIBERS) as readers:
            run.record.add(_SOON, side, on_and_off(side, _NAME, readers))
    for side in run.sides:
        side.remove_all()
    _count(run)


def on_and_off(side: Side, name: str, readers: Subscribers) -> list[float]:
    """Enable and disable a plugin; return how long after each answer each reader had the event."""
    with side.api() as api:
        doing = (lambda: api.enable(name), lambda: api.disable(name))
        return [delay for do in doing for delay in _delays_ms(do, readers)]


def _delays_ms(do: Callable[[], None], readers: Subscribers) -> list[float]:
    readers.expect()
    do()
    answered = time.monotonic()
    return [1000 * (arrived - answered) for arrived in readers.arrivals()]


def _count(run: Run) -> None:
    wherry = next(side for side in run.sides if side.name == "wherry")
    count = _QUICK_EVENTS if run.is_quick else _EVENTS
    for _ in range(1 if run.is_quick else _FEED_ROUNDS):
        run.record.add(_THROUGHPUT, wherry, [feed.events_per_s(run.folder / "feed", count)])


GROUP = Group(
    name="events",
    rows=(Row(name=_SOON), Row(name=_THROUGHPUT, unit="/s")),
    measure=_measure,
)
