"""The spans of a job's steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from shared import errdefs
from shared.bus.tracing import note_error
from shared.oci.descriptor import Descriptor
from shared.telemetry import context

_tracer = trace.get_tracer("wherry.pull")


@contextmanager
def job(job_id: str, carrier: Mapping[str, str]) -> Iterator[Span]:
    """Open the span of a job, below the one that queued it."""
    with _tracer.start_as_current_span(
        "job",
        context=context.sent_in(carrier),
        kind=SpanKind.CONSUMER,
        attributes={"wherry.job.id": job_id},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


@contextmanager
def step(name: str, attributes: Mapping[str, str | int | bool] | None = None) -> Iterator[Span]:
    """Open the span of one step, and say on it how it failed."""
    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except errdefs.Error as error:
            note_error(span, error)
            raise


def of_blob(blob: Descriptor) -> Mapping[str, str | int | bool]:
    """Return what a span says of a blob."""
    return {"oci.blob.digest": blob.digest, "oci.blob.size": blob.size, "wherry.retries": 0}


def moved(span: Span, count: int, seconds: float) -> None:
    """Say on the span of a blob how many bytes it took, and how fast they came or went."""
    span.set_attribute("wherry.bytes", count)
    if seconds > 0:
        span.set_attribute("wherry.bytes_per_s", round(count / seconds))


def current() -> Span:
    """Return the span that is open now."""
    return trace.get_current_span()
