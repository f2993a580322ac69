"""Spans around sending and handling, by OpenTelemetry's conventions for messaging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from shared.bus import names, subject
from shared.bus.envelope import Envelope
from shared.telemetry import context
from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.bus")


def sending(stream: str) -> Opened:
    """Open the span of a message that is sent to *stream*."""
    return opened(_tracer, f"send {names.template(stream)}", kind=SpanKind.PRODUCER)


def handling_command(stream: str, envelope: Envelope, about: Mapping[str, str]) -> Opened:
    """Open the span of a command's handler, below the one that sent it."""
    return opened(
        _tracer,
        f"process {envelope.message_type}",
        context=context.below(envelope.traceparent) if envelope.traceparent else None,
        kind=SpanKind.CONSUMER,
        attributes=_said(stream, envelope, "process") | subject.attributes(about),
    )


def handling_fact(stream: str, envelope: Envelope, about: Mapping[str, str]) -> Opened:
    """Open the span of a fact's handler: a trace of its own, linked to where it was published."""
    cause = context.cause(envelope.traceparent)
    return opened(
        _tracer,
        f"process {envelope.message_type}",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=[Link(cause)] if cause.is_valid else [],
        attributes=_said(stream, envelope, "process") | subject.attributes(about),
    )


def handling_facts(stream: str, envelopes: Sequence[Envelope]) -> Opened:
    """Open the span of a handler of several facts, linked to where each was published."""
    causes = (context.cause(one.traceparent) for one in envelopes)
    return opened(
        _tracer,
        f"process {names.template(stream)}",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=[Link(cause) for cause in causes if cause.is_valid],
        attributes={
            "messaging.system": "redis",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": stream,
            "messaging.destination.template": names.template(stream),
            "messaging.batch.message_count": len(envelopes),
        },
    )


def describe(span: Span, stream: str, envelope: Envelope) -> None:
    """Say on the span of a message that is sent which one it is."""
    if span.is_recording():
        span.set_attributes(_said(stream, envelope, "send"))


def _said(stream: str, envelope: Envelope, operation: str) -> dict[str, str]:
    return {
        "messaging.system": "redis",
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": stream,
        "messaging.destination.template": names.template(stream),
        "messaging.message.id": envelope.message_id,
        "messaging.message.conversation_id": envelope.correlation,
        "wherry.message.type": envelope.message_type,
    }
