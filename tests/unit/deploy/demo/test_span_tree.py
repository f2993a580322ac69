from __future__ import annotations

from deploy.demo.otlp import Span
from deploy.demo.span_tree import render

_MS = 1_000_000


def a_span(name: str, parent: str = "", *, at_ms: float, took_ms: float, service: str) -> Span:
    start_ns = 1_700_000_000 * 10**9 + int(at_ms * _MS)
    return Span(
        trace_id="t",
        span_id=name,
        parent_id=parent,
        name=name,
        service=service,
        start_ns=start_ns,
        end_ns=start_ns + int(took_ms * _MS),
    )


def names(tree: str) -> list[str]:
    """Return what stands behind the services: branches and names."""
    return [line.split("  ")[-1].strip() for line in tree.splitlines()[1:]]


def test_line_tells_start_duration_service_and_name() -> None:
    """Times are in ms, the start counted from the trace's own."""
    tree = render(
        [
            a_span("enable", at_ms=0, took_ms=90.25, service="gateway"),
            a_span("start", "enable", at_ms=3.4, took_ms=80, service="executor"),
        ]
    )
    assert tree.splitlines() == [
        "   start     took ms",
        "     0.0     90.2    gateway   enable",
        "     3.4     80.0    executor  └─ start",
    ]


def test_children_stand_below_their_parent_in_order_of_start() -> None:
    """Branches lead from each span to its children, the last one with a corner."""
    spans = [
        a_span("late", "root", at_ms=5, took_ms=1, service="s"),
        a_span("deep", "early", at_ms=2, took_ms=1, service="s"),
        a_span("early", "root", at_ms=1, took_ms=3, service="s"),
        a_span("root", at_ms=0, took_ms=9, service="s"),
    ]
    lines = render(spans).splitlines()[1:]
    assert [line.split("s  ", 1)[1] for line in lines] == [
        "root",
        "├─ early",
        "│  └─ deep",
        "└─ late",
    ]


def test_span_without_its_parent_is_shown_as_a_root() -> None:
    """A parent that never arrived takes none of its children away."""
    tree = render(
        [
            a_span("known", at_ms=0, took_ms=1, service="s"),
            a_span("orphan", "lost", at_ms=1, took_ms=1, service="s"),
        ]
    )
    assert names(tree) == ["known", "orphan"]


def test_no_span_is_said_in_words() -> None:
    """An empty trace is told, not shown as an empty tree."""
    assert render([]) == "no span has arrived"
