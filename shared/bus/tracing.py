"""Spans around sending and handling, by OpenTelemetry's conventions for messaging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind

from shared.bus import names, subject
from shared.bus.envelope import Envelope
from shared.telemetry import context
from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.bus")


def sending(stream: str) -> Opened:
    """Open the span of a message that is sent to *stream*."""
    return opened(
        _tracer,
        f"send {names.template(stream)}",
        kind=SpanKind.PRODUCER,
        links=context.links_to_origin(),
    )


def relaying(stream: str, message_type: str, traceparents: Sequence[str]) -> Opened:
    """Open the span of messages that are published together, below what the first came from.

    One that does nothing when none of that is recorded.
    """
    causes = [cause for cause in map(context.cause, dict.fromkeys(traceparents)) if _is_kept(cause)]
    if not causes:
        return Opened(trace.INVALID_SPAN)
    return opened(
        _tracer,
        f"send {names.template(stream)}",
        context=trace.set_span_in_context(NonRecordingSpan(causes[0]), Context()),
        kind=SpanKind.PRODUCER,
        links=[Link(cause) for cause in causes[1:]],
        attributes=_together(stream, "send", len(traceparents))
        | {"wherry.message.type": message_type},
    )


def following(stream: str, envelope: Envelope) -> Span:
    """Start the span of a fact that is read without a group, for the caller to end.

    A trace of its own, linked to where the fact was published; none where that is not recorded.
    """
    cause = context.cause(envelope.traceparent)
    if not _is_kept(cause):
        return trace.INVALID_SPAN
    return _tracer.start_span(
        f"process {envelope.message_type}",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=[Link(cause)],
        attributes=_said(stream, envelope, "process"),
    )


def handling_command(stream: str, envelope: Envelope, about: Mapping[str, str]) -> Opened:
    """Open the span of a command's handler, below the one that sent it."""
    return opened(
        _tracer,
        f"process {envelope.message_type}",
        context=context.below(envelope.traceparent) if envelope.traceparent else None,
        kind=SpanKind.CONSUMER,
        attributes=_said(stream, envelope, "process") | subject.attributes(about),
    )


def handling_fact(
    stream: str, envelope: Envelope, about: Mapping[str, str], *, is_told: bool = True
) -> Opened:
    """Open the span of a fact's handler: a trace of its own, linked to where it was published.

    One that does nothing for a fact of which nothing is to be told.
    """
    if not is_told:
        return Opened(trace.INVALID_SPAN)
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
    """Open the span of a handler of several facts, linked to where they were published.

    One that does nothing when there is nothing to tell.
    """
    if not envelopes:
        return Opened(trace.INVALID_SPAN)
    causes = map(context.cause, dict.fromkeys(one.traceparent for one in envelopes))
    return opened(
        _tracer,
        f"process {names.template(stream)}",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=[Link(cause) for cause in causes if cause.is_valid],
        attributes=_together(stream, "process", len(envelopes)),
    )


def describe(span: Span, stream: str, envelope: Envelope) -> None:
    """Say on the span of a message that is sent which one it is."""
    if span.is_recording():
        span.set_attributes(_said(stream, envelope, "send"))


def _is_kept(cause: SpanContext) -> bool:
    return cause.is_valid and cause.trace_flags.sampled


def _together(stream: str, operation: str, count: int) -> dict[str, str | int]:
    return {**_at(stream, operation), "messaging.batch.message_count": count}


def _at(stream: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": "redis",
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": stream,
        "messaging.destination.template": names.template(stream),
    }


def _said(stream: str, envelope: Envelope, operation: str) -> dict[str, str]:
    return {
        **_at(stream, operation),
        "messaging.message.id": envelope.message_id,
        "messaging.message.conversation_id": envelope.correlation,
        "wherry.message.type": envelope.message_type,
    }
