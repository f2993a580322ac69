"""What a run has found, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.goals import Goal, Measure, ratio
from tests.bench.record import Figures
from tests.bench.run import Row

_HEAD = ("row", "n", "wherry p50", "p99", "CPU", "dockerd p50", "p99", "CPU", "p50", "CPU", "goal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row and what both sides reached in it."""

    row: Row
    wherry: Figures | None
    peer: Figures | None
    goals: tuple[Goal, ...]

    def verdicts(self) -> list[tuple[Goal, bool]]:
        """Return the goals that could be judged, and whether each was met."""
        found = [(goal, goal.is_met(self.wherry, self.peer)) for goal in self.goals]
        return [(goal, is_met) for goal, is_met in found if is_met is not None]

    def to_json(self) -> dict[str, Any]:
        """Return the line for programs."""
        return {
            "row": self.row.name,
            "unit": self.row.unit,
            "wherry": asdict(self.wherry) if self.wherry else None,
            "dockerd": asdict(self.peer) if self.peer else None,
            "ratio_p50": ratio(Measure.P50, self.wherry, self.peer),
            "ratio_cpu": ratio(Measure.CPU, self.wherry, self.peer),
            "goals": [
                {"goal": str(goal), "measure": goal.measure, "limit": goal.limit, "met": met}
                for goal, met in self.verdicts()
            ],
        }


def table(lines: Sequence[Line]) -> str:
    """Return the table: times and CPU in ms unless the row names another unit, then the ratios."""
    cells = [_HEAD, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    return "\n".join(_aligned(row, widths) for row in cells)


def verdict(lines: Sequence[Line]) -> str:
    """Return the closing line."""
    met = [is_met for line in lines for _, is_met in line.verdicts()]
    return f"{met.count(True)} goals met, {met.count(False)} missed"


def _cells(line: Line) -> tuple[str, ...]:
    name = line.row.name if line.row.unit == "ms" else f"{line.row.name} [{line.row.unit}]"
    counted = line.wherry or line.peer
    return (
        name,
        str(counted.count if counted else 0),
        *_of(line.wherry),
        *_of(line.peer),
        _ratio(ratio(Measure.P50, line.wherry, line.peer)),
        _ratio(ratio(Measure.CPU, line.wherry, line.peer)),
        ", ".join(_said(goal, is_met) for goal, is_met in line.verdicts()),
    )


def _of(figures: Figures | None) -> tuple[str, str, str]:
    if figures is None:
        return "-", "-", "-"
    p50 = f"{_number(figures.p50)} ({figures.note})" if figures.note else _number(figures.p50)
    cpu = "-" if figures.cpu_ms is None else _number(figures.cpu_ms)
    return p50, _number(figures.p99), cpu


def _said(goal: Goal, is_met: bool) -> str:
    return f"{goal} {'met' if is_met else 'MISSED'}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _number(value: float) -> str:
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers, last = row
    middle = (text.rjust(width) for text, width in zip(numbers, widths[1:-1], strict=True))
    return "  ".join((first.ljust(widths[0]), *middle, last)).rstrip()
