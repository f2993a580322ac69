"""Which traces a node keeps for itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Link, SpanKind, Tracer

from shared.telemetry import context
from shared.telemetry.sampling import everything, foreground


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """Give a tracer that samples so."""
    provider = TracerProvider(sampler=foreground(), shutdown_on_exit=False)
    yield provider.get_tracer("test")
    provider.shutdown()


@pytest.mark.parametrize("kind", [SpanKind.SERVER, SpanKind.CONSUMER, SpanKind.INTERNAL])
def test_requests_jobs_and_facts_are_kept(tracer: Tracer, kind: SpanKind) -> None:
    """So is everything below them."""
    with tracer.start_as_current_span("root", kind=kind) as root:
        below = tracer.start_span("below", kind=SpanKind.PRODUCER)
    below.end()

    assert root.is_recording() is False  # it has ended
    assert root.get_span_context().trace_flags.sampled
    assert below.get_span_context().trace_flags.sampled


@pytest.mark.parametrize("kind", [SpanKind.PRODUCER, SpanKind.CLIENT])
def test_what_nobody_asked_for_is_not(tracer: Tracer, kind: SpanKind) -> None:
    """Nor is anything below it, here or in another process."""
    with tracer.start_as_current_span("root", kind=kind) as root:
        below = tracer.start_span("below")

    assert not root.get_span_context().trace_flags.sampled
    assert not below.get_span_context().trace_flags.sampled


@pytest.mark.parametrize(("flags", "is_kept"), [("01", True), ("00", False)])
def test_what_a_kept_trace_led_to_is_kept(tracer: Tracer, flags: str, is_kept: bool) -> None:
    """An exit that is told, long after the enable that started the plugin."""
    link = Link(context.cause(f"00-{1:032x}-{1:016x}-{flags}"))
    span = tracer.start_span("send", kind=SpanKind.PRODUCER, links=[link])

    assert span.get_span_context().trace_flags.sampled is is_kept


def test_the_first_span_keeps_what_is_said_of_it() -> None:
    """A list of traces shows what each request was about."""
    for sampler in (foreground(), everything()):
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        attributes = {"url.path": "/plugins"}
        root = provider.get_tracer("test").start_span("root", attributes=attributes)
        assert isinstance(root, ReadableSpan)
        assert dict(root.attributes or {}) == attributes
        provider.shutdown()


def test_a_back_end_is_sent_what_nobody_asked_for() -> None:
    """What a client had left out stays so."""
    provider = TracerProvider(sampler=everything(), shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    unsampled = context.below(f"00-{1:032x}-{1:016x}-00")

    assert tracer.start_span("root", kind=SpanKind.CLIENT).is_recording()
    assert not tracer.start_span("below", context=unsampled).is_recording()
    provider.shutdown()
