"""The spans of a job's steps."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from shared.jobs.names import TEMPLATE
from shared.oci.descriptor import Descriptor
from shared.telemetry import context
from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.pull")


def job(job_id: str, carrier: Mapping[str, str]) -> Opened:
    """Open the span of a job, below the one that queued it."""
    return opened(
        _tracer,
        "job",
        context=context.sent_in(carrier),
        kind=SpanKind.CONSUMER,
        attributes={"wherry.job.id": job_id},
    )


def waited(job_id: str, carrier: Mapping[str, str], since_ns: int | None) -> None:
    """Tell how long a job has waited in the queue, beside the span of the job itself."""
    if since_ns is None or not carrier:
        return
    _tracer.start_span(
        f"wait {TEMPLATE}",
        context=context.sent_in(carrier),
        start_time=since_ns,
        attributes={
            "messaging.system": "celery",
            "messaging.destination.template": TEMPLATE,
            "wherry.job.id": job_id,
        },
    ).end()


def step(name: str, attributes: Mapping[str, str | int | bool] | None = None) -> Opened:
    """Open the span of one step."""
    return opened(_tracer, name, attributes=attributes)


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
