"""Opens spans, at less cost than the SDK's own context managers, and says on them what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer

from shared import errdefs


def opened(
    tracer: Tracer,
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int | bool] | None = None,
    context: Context | None = None,
    links: Sequence[Link] = (),
) -> Opened:
    """Return a block's span, below the current one unless *context* says otherwise."""
    span = tracer.start_span(name, context=context, kind=kind, attributes=attributes, links=links)
    return Opened(span)


def note_error(span: Span, error: Exception) -> None:
    """Say on the span how it ended; only faults carry a stack."""
    if not span.is_recording():
        return
    if isinstance(error, errdefs.Error):
        span.set_attribute("error.type", error.code)
        span.set_status(Status(StatusCode.ERROR, error.message))
        return
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(Status(StatusCode.ERROR))
    span.record_exception(error)


@final
class Opened:
    """Makes a span the current one while a block runs, and ends it."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        """Take over a span that was started just now."""
        self._span = span
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        """Make it the current span, unless nothing is recorded at all."""
        if self._span.get_span_context().is_valid:
            self._token = attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End it, with what failed."""
        if self._token is not None:
            detach(self._token)
        if isinstance(error, Exception):
            note_error(self._span, error)
        self._span.end()
