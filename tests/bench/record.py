"""What was measured: a series of values a row and side, and the CPU that they took."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A series in a few numbers, in the row's unit; CPU is ms an operation, None if unknown."""

    count: int
    p50: float
    p99: float
    cpu_ms: float | None
    note: str = ""


@dataclass(slots=True, kw_only=True)
class Series:
    """Values of one row and side, in the row's unit."""

    values: list[float] = field(default_factory=list)
    #: Of all operations together.
    cpu_s: float | None = None
    operations: int = 0
    note: str = ""

    def figures(self) -> Figures:
        """Return its figures; there must be a value."""
        cpu_ms = None if self.cpu_s is None else 1000 * self.cpu_s / self.operations
        return Figures(
            count=len(self.values),
            p50=quantile(self.values, 0.5),
            p99=quantile(self.values, 0.99),
            cpu_ms=cpu_ms,
            note=self.note,
        )


@dataclass(slots=True)
class Turn:
    """One side's turn at one row."""

    values: list[float] = field(default_factory=list)
    #: What was done; more than the values when a value stands for many.
    operations: int = 0

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Take the time of the block as one value, in ms."""
        began = time.perf_counter()
        yield
        self.values.append(1000 * (time.perf_counter() - began))
        self.operations += 1


class Record:
    """All series of a run."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    @contextlib.contextmanager
    def turn(self, row: str, side: Side) -> Iterator[Turn]:
        """Give a side its turn; its CPU counts until it is quiet again."""
        turn = Turn()
        before = side.cpu_s()
        yield turn
        side.settle()
        cpu_s = side.cpu_s() - before if side.is_ours else None
        self.add(row, side, turn.values, cpu_s=cpu_s, operations=turn.operations)

    def add(
        self,
        row: str,
        side: Side,
        values: Sequence[float],
        *,
        cpu_s: float | None = None,
        operations: int = 1,
    ) -> None:
        """Add values to a row's series, and the CPU that so many operations took."""
        series = self._series.setdefault((row, side.name), Series())
        series.values.extend(values)
        series.operations += operations
        if cpu_s is not None:
            series.cpu_s = (series.cpu_s or 0.0) + cpu_s

    def note(self, row: str, side: Side, note: str) -> None:
        """Say what the figures alone do not."""
        self._series[row, side.name].note = note

    def figures(self, row: str, side_name: str) -> Figures | None:
        """Return the figures of a series; None when nothing was measured."""
        series = self._series.get((row, side_name))
        return series.figures() if series and series.values else None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by *share* of all."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
