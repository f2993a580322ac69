"""Spans around blocks."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from shared import errdefs
from shared.telemetry.spans import opened
from tests.support.spans import recorded

_tracer = trace.get_tracer("test")


def test_what_is_opened_within_lies_below() -> None:
    """After the block the span above is the current one again."""
    with recorded() as spans, opened(_tracer, "above") as above:
        with opened(_tracer, "below", attributes={"n": 1}):
            pass
        assert trace.get_current_span() is above

    assert not trace.get_current_span().get_span_context().is_valid
    below, ended = spans.get_finished_spans()
    assert below.parent is not None
    assert below.parent.span_id == above.get_span_context().span_id
    assert dict(below.attributes or {}) == {"n": 1}
    assert ended.name == "above"


def test_an_error_for_people_is_told_without_a_stack() -> None:
    """It has its code and its words."""
    with recorded() as spans, pytest.raises(errdefs.Conflict), opened(_tracer, "step"):
        raise errdefs.Conflict("it is enabled")

    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "it is enabled")
    assert dict(span.attributes or {}) == {"error.type": "conflict"}
    assert span.events == ()


def test_a_fault_is_told_with_its_stack() -> None:
    """Its words may be anything, so that they are no description."""
    with recorded() as spans, pytest.raises(ValueError, match="odd"), opened(_tracer, "step"):
        raise ValueError("odd")

    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert [event.name for event in span.events] == ["exception"]


def test_what_was_cancelled_has_not_failed() -> None:
    """Whoever gave up knows why."""
    with recorded() as spans, pytest.raises(asyncio.CancelledError), opened(_tracer, "step"):
        raise asyncio.CancelledError

    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.UNSET


def test_where_nothing_is_recorded_nothing_is_current() -> None:
    """The block is given a span that takes everything and keeps none of it."""
    with opened(_tracer, "step") as span:
        span.set_attribute("n", 1)
        assert not span.is_recording()
        assert not trace.get_current_span().get_span_context().is_valid
