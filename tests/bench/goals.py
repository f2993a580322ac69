"""What Wherry is to reach: mostly ratios to its peer in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.bench.record import Figures


class Measure(StrEnum):
    """Which of two figures are compared, or that it is Wherry's p50 itself that counts."""

    P50 = "p50"
    CPU = "CPU"
    #: How many times what the peer does in the same time.
    RATE = "rate"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio, or a value in the row's unit, and what it may be at most, or at least."""

    row: str
    measure: Measure
    limit: float
    is_least: bool = False

    def __str__(self) -> str:
        return f"{self.measure} {'≥' if self.is_least else '≤'} {self.limit:,g}"

    def is_met(self, wherry: Figures | None, peer: Figures | None) -> bool | None:
        """Tell whether it is met; None when a side was not measured."""
        value = ratio(self.measure, wherry, peer)
        if value is None:
            return None
        return value >= self.limit if self.is_least else value <= self.limit


def _goal(row: str, at_most: float, measure: Measure = Measure.P50) -> Goal:
    return Goal(row=row, measure=measure, limit=at_most)


def _least(row: str, at_least: float, measure: Measure) -> Goal:
    return Goal(row=row, measure=measure, limit=at_least, is_least=True)


#: A row's name here is its name in tests/bench/rows.
GOALS = (
    _goal("create 1 MB", 1.0),
    _goal("enable", 0.20),
    _goal("set", 1.0),
    _goal("disable", 0.80),
    _goal("remove", 1.0),
    _goal("create 100 MB, small files", 0.3),
    _goal("create 100 MB, small files", 0.3, Measure.CPU),
    _goal("enable 100, 8 at a time", 0.35),
    _goal("upgrade 50 that run, 8 at a time", 0.25),
    _goal("install small", 1.0),
    _goal("upgrade small", 1.0),
    *(
        goal
        for size in (5, 100, 500)
        for kind, wall in (("small", 0.5), ("large", 0.75))
        for goal in (
            _goal(f"pull {size} MB, {kind} files", wall),
            _goal(f"pull {size} MB, {kind} files", 0.5, Measure.CPU),
            _goal(f"peak memory, pull {size} MB, {kind} files", 150.0, Measure.ALONE),
        )
    ),
    _goal("kill -9 with 20 plugins, until all are shown", 1.0),
    _least("list, 500 plugins, 32 connections", 10.0, Measure.RATE),
    _least("inspect, 500 plugins, 32 connections", 2.5, Measure.RATE),
    _least("_ping, 32 connections", 1.0, Measure.RATE),
    _least("version, 32 connections", 10.0, Measure.RATE),
    _goal("event, answer to 100 subscribers", 2.0, Measure.ALONE),
    _least("events through the feed", 5_000.0, Measure.ALONE),
    _goal("memory of a running plugin, beyond its own", 0.35),
    _goal("idle memory, 0 plugins", 2.0),
    _goal("enable, with traces for each without", 1.05, Measure.ALONE),
    _goal("enable, that no span explains", 10.0, Measure.ALONE),
    *(_goal(f"growth of {what}", 1.3, Measure.ALONE) for what in ("inspect", "enable", "event")),
    _goal("growth of list, for each plugin", 1.3, Measure.ALONE),
)


def ratio(measure: Measure, wherry: Figures | None, peer: Figures | None) -> float | None:
    """Return what Wherry takes for each that its peer takes, or alone; None where not measured."""
    if measure is Measure.ALONE:
        return wherry.p50 if wherry else None
    if wherry is None or peer is None:
        return None
    if measure is Measure.P50:
        return wherry.p50 / peer.p50 if peer.p50 > 0 else None
    if measure is Measure.RATE:
        return peer.p50 / wherry.p50
    if wherry.cpu_ms is None or not peer.cpu_ms:
        return None
    return wherry.cpu_ms / peer.cpu_ms
