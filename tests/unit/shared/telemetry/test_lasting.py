"""Spans that one process begins and another tells."""

from __future__ import annotations

from opentelemetry import trace

from shared import errdefs
from shared.telemetry import context, lasting
from tests.support.spans import recorded

_tracer = trace.get_tracer("test")


def test_what_is_done_meanwhile_lies_below_it() -> None:
    """A span that is kept as JSON is told later, with the id that its children know it by."""
    with recorded() as exporter:
        with _tracer.start_as_current_span("request"):
            begun = lasting.begin(1_000)
        assert begun is not None
        kept = lasting.LastingSpan.model_validate_json(begun.model_dump_json())
        with lasting.within(kept), _tracer.start_as_current_span("work"):
            pass
        lasting.end(kept, "batch", 5_000, {"wherry.batch": "b"}, errdefs.NotFound("gone"))

    request, work, batch = exporter.get_finished_spans()
    assert batch.parent is not None
    assert work.parent is not None
    assert batch.context is not None
    assert request.context is not None
    assert batch.parent.span_id == request.context.span_id
    assert work.parent.span_id == batch.context.span_id
    assert {one.context.trace_id for one in (request, work, batch) if one.context} == {
        batch.context.trace_id
    }
    assert (batch.start_time, batch.end_time) == (1_000, 5_000)
    assert batch.attributes == {"wherry.batch": "b", "error.type": "not_found"}
    assert batch.status.description == "gone"


def test_one_begins_below_another_and_links_to_a_third() -> None:
    """A span below one that is not over needs nobody's current span; links are told with it."""
    with recorded() as exporter:
        with _tracer.start_as_current_span("first"):
            first = context.traceparent()
        with _tracer.start_as_current_span("second"):
            above = lasting.begin(1, links=(first, ""))
        below = lasting.begin(2, above=above)
        lasting.end(below, "below", 3, {})
        lasting.end(above, "above", 4, {})

    told = {span.name: span for span in exporter.get_finished_spans()}
    assert told["below"].parent is not None
    assert told["above"].context is not None
    assert told["below"].parent.span_id == told["above"].context.span_id
    assert told["first"].context is not None
    (link,) = told["above"].links
    assert link.context.span_id == told["first"].context.span_id


def test_ids_are_by_chance_again_afterwards() -> None:
    """Telling a span of a chosen id leaves the next one its own."""
    with recorded() as exporter:
        with _tracer.start_as_current_span("request"):
            begun = lasting.begin(1)
        for name in ("one", "two"):
            lasting.end(begun, name, 2, {})
            with _tracer.start_as_current_span(name):
                pass

    ids = [span.context.span_id for span in exporter.get_finished_spans() if span.context]
    assert len(set(ids)) == len(ids) - 1


def test_where_nothing_is_recorded_nothing_is_kept() -> None:
    """Without a trace there is no span to tell, and work goes on in no trace."""
    begun = lasting.begin(1)

    with lasting.within(begun):
        assert context.traceparent() == ""
    lasting.end(begun, "batch", 2, {})
    assert begun is None
