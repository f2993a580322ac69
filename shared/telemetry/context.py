"""The trace that work belongs to, on its way in and out: W3C trace context, and nothing else.

Baggage is neither taken in nor handed on: it is a caller's own words, and would end in Redis and
at registries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C: Final = TraceContextTextMapPropagator()
#: What the context is called in headers.
FIELDS: Final = frozenset({"traceparent", "tracestate"})


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
    if not trace.get_current_span().get_span_context().is_valid:
        return ""
    return carrier().get("traceparent", "")


def sent_in(headers: Mapping[str, str]) -> Context:
    """Return the context that headers tell of; an empty one where they tell of none."""
    return _W3C.extract(headers, context=Context())


def cause(header: str) -> SpanContext:
    """Return the span that a traceparent names, to link to; an invalid one for none."""
    return trace.get_current_span(sent_in({"traceparent": header})).get_span_context()


@contextmanager
def within(header: str) -> Iterator[None]:
    """Do what the block does in the trace that a traceparent names; in the current one for none."""
    if not header:
        yield
        return
    token = attach(sent_in({"traceparent": header}))
    try:
        yield
    finally:
        detach(token)
