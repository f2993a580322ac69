"""What grows over a soak: a quarter of the way in, compared with the end."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.support.soak.reading import Reading

#: Of the readings that count, each of the two ends.
_END: Final = 3

#: The part of a reading that is looked at.
Part = Callable[[Reading], Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How something was, and became."""

    name: str
    early: float
    late: float
    #: Between the two.
    operations: float

    @property
    def growth(self) -> float:
        """Return by how much it grew."""
        return self.late - self.early

    @property
    def per_operation(self) -> float:
        """Return by how much it grew with each operation."""
        return self.growth / max(1.0, self.operations)


def trends(readings: Sequence[Reading], part: Part) -> Iterator[Trend]:
    """Yield the trend of each name; the first quarter, in which caches fill, does not count."""
    counting = readings[len(readings) // 4 :]
    width = max(1, len(counting) // _END)
    early, late = counting[:width], counting[-width:]
    for name in sorted({name for reading in readings for name in part(reading)}):
        yield Trend(
            name=name,
            early=statistics.median(part(one).get(name, 0) for one in early),
            late=statistics.median(part(one).get(name, 0) for one in late),
            operations=statistics.median(one.operations for one in late)
            - statistics.median(one.operations for one in early),
        )
