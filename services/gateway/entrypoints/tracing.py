"""A server span per request; without a tracer it costs a look at two variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.gateway.entrypoints.http import Scope

_tracer = trace.get_tracer("wherry.gateway")
_CONTEXT_HEADERS = frozenset({b"traceparent", b"tracestate", b"baggage"})


@contextmanager
def serving(scope: Scope) -> Iterator[Span]:
    """Open the span of a request, below the client's own when it names one."""
    carrier = {
        key.decode(): value.decode("latin-1")
        for key, value in scope["headers"]
        if key in _CONTEXT_HEADERS
    }
    if not carrier and not is_recorded():
        yield trace.INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        scope["method"],
        context=propagate.extract(carrier),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
    ) as span:
        yield span


def is_recorded() -> bool:
    """Tell whether this process records traces."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def trace_id(span: Span) -> bytes:
    """Return the id by which the request's trace is found; empty when none is recorded."""
    if not span.is_recording():
        return b""
    return trace.format_trace_id(span.get_span_context().trace_id).encode()


def finish(span: Span, *, method: str, route: str, status: int) -> None:
    """Say on the span what the request turned out to be."""
    if not span.is_recording():
        return
    span.update_name(f"{method} {route}" if route else method)
    if route:
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))
