"""The trace that work belongs to, on its way in and out: W3C trace context, and nothing else.

Baggage is neither taken in nor handed on: it is a caller's own words, and would end in Redis and
at registries.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C: Final = TraceContextTextMapPropagator()
#: What the context is called in headers.
FIELDS: Final = frozenset({"traceparent", "tracestate"})
#: The span that a task was started in which outlives it.
_origin: Final = contextvars.ContextVar("origin", default=trace.INVALID_SPAN_CONTEXT)


def carrier() -> dict[str, str]:
    """Return the current trace's headers; none where there is no trace."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers


def carrier_of(span: Span) -> dict[str, str]:
    """Return the headers of a span that is not the current one."""
    headers: dict[str, str] = {}
    _W3C.inject(headers, context=trace.set_span_in_context(span))
    return headers


def traceparent() -> str:
    """Return the current trace as one header; empty where there is none."""
    now = trace.get_current_span().get_span_context()
    if not now.is_valid:
        return ""
    # As the propagator writes it, which takes four times as long.
    return f"00-{now.trace_id:032x}-{now.span_id:016x}-{now.trace_flags:02x}"


def sent_in(headers: Mapping[str, str]) -> Context:
    """Return the context that a client's headers tell of; an empty one where they tell of none."""
    return _W3C.extract(headers, context=Context())


def cause(header: str) -> SpanContext:
    """Return the span that a traceparent of ours names; an invalid one for none."""
    try:
        _, trace_id, span_id, flags = header.split("-")
        return SpanContext(
            trace_id=int(trace_id, 16),
            span_id=int(span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(int(flags, 16)),
        )
    except ValueError:
        return trace.INVALID_SPAN_CONTEXT


def below(header: str) -> Context:
    """Return the context of what is below the span that a traceparent of ours names."""
    return trace.set_span_in_context(NonRecordingSpan(cause(header)), Context())


def apart() -> contextvars.Context:
    """Return a context for a task that outlives what starts it: no trace, and no words for logs.

    What the task sends is a trace of its own, with a link to what started it.
    """
    made = contextvars.Context()
    made.run(_origin.set, trace.get_current_span().get_span_context())
    return made


def links_to_origin() -> list[Link]:
    """Return the link of a trace that begins in a task apart; none anywhere else."""
    origin = _origin.get()
    if not origin.is_valid or trace.get_current_span().get_span_context().is_valid:
        return []
    return [Link(origin)]


@contextmanager
def within(header: str) -> Iterator[None]:
    """Do what the block does in the trace that a traceparent names; in the current one for none."""
    if not header:
        yield
        return
    token = attach(below(header))
    try:
        yield
    finally:
        detach(token)
