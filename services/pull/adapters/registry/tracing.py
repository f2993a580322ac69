"""A span a request, by OpenTelemetry's conventions for HTTP clients; no query, no header.

Requests are counted here as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.pull.adapters.registry import metrics
from shared.telemetry import context

_tracer = trace.get_tracer("wherry.registry")


@contextmanager
def requesting(request: httpx.Request, *, resend_count: int) -> Iterator[Span]:
    """Open the span of one request, until its answer has been read.

    It does not become the current span: it may end in another task than the one it began in.
    """
    span = _tracer.start_span(
        f"{request.method} registry",
        kind=SpanKind.CLIENT,
        attributes={
            "http.request.method": request.method,
            "server.address": request.url.host,
            "server.port": request.url.port or (443 if request.url.scheme == "https" else 80),
            # Queries may be signatures, so the path alone.
            "url.path": request.url.path,
            "http.request.resend_count": resend_count,
        },
    )
    if span.is_recording():
        request.headers.update(context.carrier_of(span))
    try:
        yield span
    except httpx.TransportError as error:
        metrics.REQUESTS.labels("0").inc()
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR, str(error)))
        raise
    finally:
        span.end()


def note_repeat(why: str, attempt: int) -> None:
    """Count a request that is sent again, here and on the span of what it is for."""
    metrics.RETRIES.inc()
    span = trace.get_current_span()
    if isinstance(span, ReadableSpan) and span.is_recording():
        before = (span.attributes or {}).get("wherry.retries", 0)
        span.set_attribute("wherry.retries", before + 1 if isinstance(before, int) else 1)
        span.add_event("repeated", {"wherry.reason": why, "wherry.attempt": attempt})


def note_status(span: Span, status: int) -> None:
    """Say on the span, and count, what was answered."""
    metrics.REQUESTS.labels(str(status)).inc()
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        span.set_attribute("error.type", str(status))
        # A 401 is how a registry asks who we are, and a 404 often is the answer hoped for.
        if status not in (401, 404):
            span.set_status(Status(StatusCode.ERROR))
