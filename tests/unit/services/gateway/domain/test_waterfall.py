"""A trace as a waterfall."""

from __future__ import annotations

from services.gateway.domain.waterfall import waterfall
from shared.telemetry.kept import KeptSpan


def _span(span_id: str, parent_id: str, start_ns: int, end_ns: int) -> KeptSpan:
    return KeptSpan(
        trace_id="t",
        parent_id=parent_id,
        span_id=span_id,
        name=span_id,
        service="wherry-store",
        kind="internal",
        start_ns=start_ns,
        end_ns=end_ns,
    )


def test_order() -> None:
    """Children stand below their parent in the order in which they began, whatever order came."""
    spans = [
        _span("b", "root", 50, 90),
        _span("a1", "a", 11, 20),
        _span("root", "", 0, 100),
        _span("a", "root", 10, 40),
    ]
    fall = waterfall(spans)
    assert [(bar.span.span_id, bar.depth) for bar in fall.bars] == [
        ("root", 0),
        ("a", 1),
        ("a1", 2),
        ("b", 1),
    ]
    assert (fall.start_ns, fall.took_ns) == (0, 100)
    places = {bar.span.span_id: (bar.start, bar.width) for bar in fall.bars}
    assert places["b"] == (500, 400)


def test_critical() -> None:
    """What was waited for is marked; what went on beside it is not."""
    spans = [
        _span("root", "", 0, 100),
        _span("first", "root", 0, 40),
        _span("beside", "root", 10, 30),
        _span("second", "root", 40, 95),
    ]
    critical = {bar.span.span_id for bar in waterfall(spans).bars if bar.is_critical}
    assert critical == {"root", "first", "second"}


def test_lost_parent() -> None:
    """A span whose parent was not kept stands at the left, and a flash is wide enough to see."""
    (bar, flash) = waterfall([_span("x", "gone", 10, 1_000_010), _span("y", "gone", 20, 21)]).bars
    assert (bar.depth, flash.depth) == (0, 0)
    assert flash.width >= 1


def test_nothing() -> None:
    """Of no spans nothing is drawn."""
    assert waterfall([]).bars == ()
