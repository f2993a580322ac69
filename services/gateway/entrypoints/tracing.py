"""A server span per request; without a tracer it costs a look at two variables."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.gateway.entrypoints.http import Scope
from shared.telemetry import context
from shared.telemetry.spans import opened

_tracer = trace.get_tracer("wherry.gateway")
_READS: Final = frozenset({"GET", "HEAD"})
#: A read that asks a registry, and so is worth a span wherever spans go.
_ASKS_REGISTRY: Final = "/plugins/privileges"


def serving(scope: Scope, *, are_reads_recorded: bool) -> AbstractContextManager[Span]:
    """Open the span of a request, below the client's own when it names one.

    Requests that only read are recorded where *are_reads_recorded*, and for who brings a trace.
    """
    carrier = {
        name: value.decode("latin-1")
        for key, value in scope["headers"]
        if (name := key.decode("latin-1")) in context.FIELDS
    }
    if not carrier and not (_is_on() and (are_reads_recorded or _is_action(scope))):
        return nullcontext(trace.INVALID_SPAN)
    return opened(
        _tracer,
        scope["method"],
        context=context.sent_in(carrier),
        kind=SpanKind.SERVER,
        attributes={
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
        },
    )


def trace_id(span: Span) -> bytes:
    """Return the id by which the request's trace is found; empty when none is recorded."""
    if not span.is_recording():
        return b""
    return trace.format_trace_id(span.get_span_context().trace_id).encode()


def finish(span: Span, *, method: str, route: str, plugin: str, status: int) -> None:
    """Say on the span what the request turned out to be."""
    if not span.is_recording():
        return
    span.update_name(f"{method} {route}" if route else method)
    if route:
        span.set_attribute("http.route", route)
    if plugin:
        span.set_attribute("wherry.plugin", plugin)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def _is_on() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _is_action(scope: Scope) -> bool:
    return scope["method"] not in _READS or scope["path"].endswith(_ASKS_REGISTRY)
