"""Spans around sending and handling, by OpenTelemetry's conventions for messaging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from shared import errdefs
from shared.bus import names, subject
from shared.bus.envelope import Envelope
from shared.telemetry import context

_tracer = trace.get_tracer("wherry.bus")


@contextmanager
def sending(stream: str) -> Iterator[Span]:
    """Open the span of a message that is sent to *stream*."""
    name = f"send {names.template(stream)}"
    with _tracer.start_as_current_span(
        name, kind=SpanKind.PRODUCER, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except errdefs.Error as error:
            note_error(span, error)
            raise


@contextmanager
def handling_command(stream: str, envelope: Envelope, about: Mapping[str, str]) -> Iterator[Span]:
    """Open the span of a command's handler, below the one that sent it."""
    with _tracer.start_as_current_span(
        f"process {envelope.message_type}",
        context=_sent_in(envelope),
        kind=SpanKind.CONSUMER,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        describe(span, stream, envelope, operation="process")
        span.set_attributes(subject.attributes(about))
        yield span


@contextmanager
def handling_fact(stream: str, envelope: Envelope, about: Mapping[str, str]) -> Iterator[Span]:
    """Open the span of a fact's handler: a trace of its own, linked to where it was published."""
    cause = context.cause(envelope.traceparent)
    with _tracer.start_as_current_span(
        f"process {envelope.message_type}",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=[Link(cause)] if cause.is_valid else [],
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        describe(span, stream, envelope, operation="process")
        span.set_attributes(subject.attributes(about))
        yield span


@contextmanager
def handling_facts(stream: str, envelopes: Sequence[Envelope]) -> Iterator[None]:
    """Open the span of a handler of several facts, linked to where each was published."""
    causes = (trace.get_current_span(_sent_in(one) or Context()) for one in envelopes)
    contexts = (cause.get_span_context() for cause in causes)
    with _tracer.start_as_current_span(
        f"process {names.template(stream)}",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=[Link(context) for context in contexts if context.is_valid],
        attributes={
            "messaging.system": "redis",
            "messaging.operation.type": "process",
            "messaging.destination.name": stream,
            "messaging.batch.message_count": len(envelopes),
        },
    ):
        yield


def describe(span: Span, stream: str, envelope: Envelope, *, operation: str) -> None:
    """Say on the span which message it is about."""
    if not span.is_recording():
        return
    span.set_attributes(
        {
            "messaging.system": "redis",
            "messaging.operation.type": operation,
            "messaging.operation.name": operation,
            "messaging.destination.name": stream,
            "messaging.destination.template": names.template(stream),
            "messaging.message.id": envelope.message_id,
            "messaging.message.conversation_id": envelope.correlation,
            "wherry.message.type": envelope.message_type,
        }
    )


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


def _sent_in(envelope: Envelope) -> Context | None:
    if not envelope.traceparent:
        return None
    return context.sent_in({"traceparent": envelope.traceparent})
