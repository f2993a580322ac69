"""Which trace took an event in."""

from __future__ import annotations

from opentelemetry import trace

from services.event.service.origins import Origins
from shared.contracts.event import FeedEvent
from shared.telemetry import context
from shared.telemetry.spans import opened
from tests.support.spans import recorded

_tracer = trace.get_tracer("test")


def event(seq: int) -> FeedEvent:
    return FeedEvent(
        seq=seq, type="plugin", action="set", actor_id="p", time_ns=1, epoch="e", revision=seq
    )


def note(origins: Origins, *seqs: int) -> str:
    """Note events in a trace of their own, and return its traceparent."""
    with opened(_tracer, "process"):
        origins.note([event(seq) for seq in seqs])
        return context.traceparent()


def test_an_event_has_the_trace_that_took_it_in() -> None:
    """Those that came together share one; of what came before the first, none is known."""
    origins = Origins()
    with recorded():
        first, second = note(origins, 5, 6), note(origins, 7)

    assert [origins.of(seq) for seq in (4, 5, 6, 7, 8)] == ["", first, first, second, ""]


def test_what_no_trace_took_in_has_none() -> None:
    """While nothing is recorded."""
    origins = Origins()
    origins.note([event(1)])

    assert origins.of(1) == ""
