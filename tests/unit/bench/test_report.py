from __future__ import annotations

from tests.bench import report
from tests.bench.goals import GOALS, Goal, Measure
from tests.bench.record import Figures, Series, quantile
from tests.bench.report import Line
from tests.bench.rows import GROUPS
from tests.bench.run import Row


def figures(p50: float, cpu_ms: float | None = 1.0) -> Figures:
    return Figures(count=3, p50=p50, p99=2 * p50, cpu_ms=cpu_ms)


def line(wherry: Figures | None, peer: Figures | None, *goals: Goal) -> Line:
    return Line(row=Row(name="enable"), wherry=wherry, peer=peer, goals=goals)


def test_quantiles_are_values_of_the_series() -> None:
    """The p50 of an odd series is its middle, the p99 of a short one its largest."""
    values = [5.0, 1.0, 3.0]

    assert quantile(values, 0.5) == 3.0
    assert quantile(values, 0.99) == 5.0


def test_cpu_is_that_of_one_operation() -> None:
    """A value that stands for many operations shares their CPU among them."""
    series = Series(values=[7.0], cpu_s=0.5, operations=250)

    assert series.figures().cpu_ms == 2.0


def test_a_goal_is_met_at_its_limit() -> None:
    """A ratio that equals the goal meets it, a larger one misses it."""
    goal = Goal(row="enable", measure=Measure.P50, limit=0.5)

    assert line(figures(1), figures(2), goal).verdicts() == [(goal, True)]
    assert line(figures(1.1), figures(2), goal).verdicts() == [(goal, False)]


def test_a_goal_alone_needs_no_peer() -> None:
    """Where a value itself counts, the peer's is not looked at."""
    goal = Goal(row="memory", measure=Measure.ALONE, limit=150)

    assert line(figures(150), None, goal).verdicts() == [(goal, True)]
    assert line(figures(151), figures(200), goal).verdicts() == [(goal, False)]


def test_a_goal_of_rates_is_met_from_its_limit_on() -> None:
    """Twice as fast as its peer is a rate of 2: enough for a goal of 2, too little for one of 3."""
    goals = [Goal(row="list", measure=Measure.RATE, limit=limit, is_least=True) for limit in (2, 3)]

    verdicts = line(figures(1), figures(2), *goals).verdicts()

    assert [is_met for _, is_met in verdicts] == [True, False]


def test_a_goal_without_figures_is_not_judged() -> None:
    """What one side did not measure is neither met nor missed."""
    by_time = Goal(row="enable", measure=Measure.P50, limit=0.5)
    by_cpu = Goal(row="enable", measure=Measure.CPU, limit=0.5)

    assert line(figures(1), None, by_time).verdicts() == []
    assert line(figures(1), figures(2, cpu_ms=None), by_cpu).verdicts() == []


def test_the_closing_line_counts_goals() -> None:
    """Goals are counted, not rows."""
    measures = (Measure.P50, Measure.CPU)
    goals = [Goal(row="enable", measure=measure, limit=0.5) for measure in measures]

    assert report.verdict([line(figures(1), figures(2), *goals)]) == "1 goals met, 1 missed"


def test_the_table_shows_both_sides_and_their_ratio() -> None:
    """A line of the table has each side's p50 and the ratio of the two."""
    text = report.table([line(figures(1), figures(4))])

    assert text.splitlines()[1].split()[:4] == ["enable", "3", "1.00", "2.00"]
    assert "0.25" in text


def test_goals_are_of_rows_that_exist() -> None:
    """Each goal names a row of a group, and no two rows share a name."""
    names = [row.name for group in GROUPS for row in group.rows]

    assert {goal.row for goal in GOALS} <= set(names)
    assert len(names) == len(set(names))
