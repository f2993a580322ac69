"""Trace contexts on their way."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import format_span_id, format_trace_id

from shared.telemetry import context
from shared.telemetry.spans import opened
from tests.support.spans import recorded

_TRACE, _SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_tracer = trace.get_tracer("test")


def test_what_is_sent_on_is_what_the_standard_would_send() -> None:
    """The header is the propagator's, letter by letter, and read back names the same span."""
    with recorded(), opened(_tracer, "request") as span:
        header = context.traceparent()
        assert header == context.carrier()["traceparent"]

    named, sent = context.cause(header), span.get_span_context()
    assert (named.trace_id, named.span_id) == (sent.trace_id, sent.span_id)
    assert named.trace_flags == sent.trace_flags
    assert named.is_remote


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "00-x-y-z",
        f"00-{'0' * 32}-{_SPAN}-01",
        f"00-{_TRACE}-{'0' * 16}-01",
    ],
)
def test_what_names_no_span_is_no_cause(header: str) -> None:
    """Nothing is linked to it."""
    assert not context.cause(header).is_valid


def test_what_is_below_a_header_is_in_its_trace() -> None:
    """A span that is opened there has the named one as its parent."""
    with (
        recorded() as spans,
        context.within(f"00-{_TRACE}-{_SPAN}-01"),
        opened(_tracer, "work"),
    ):
        pass

    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert format_trace_id(span.parent.trace_id) == _TRACE
    assert format_span_id(span.parent.span_id) == _SPAN


async def test_a_task_apart_is_no_part_of_what_started_it() -> None:
    """It has no trace, and what begins in it is linked to the span that was current."""

    async def follow() -> None:
        with opened(_tracer, "tell", links=context.links_to_origin()):
            assert context.links_to_origin() == []

    with recorded() as spans, opened(_tracer, "start") as start:
        await asyncio.create_task(follow(), context=context.apart())
        assert context.links_to_origin() == []

    told = spans.get_finished_spans()[0]
    assert (told.name, told.parent) == ("tell", None)
    assert [link.context.span_id for link in told.links] == [start.get_span_context().span_id]
