"""Which traces a node keeps for itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Tracer

from shared.telemetry.sampling import foreground


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
