"""The span of a job that is queued, by OpenTelemetry's conventions for messaging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from shared import errdefs
from shared.contracts.job import RunJob
from shared.jobs.names import TEMPLATE, queue_name

_tracer = trace.get_tracer("wherry.jobs")


@contextmanager
def sending(node: str, job_id: str) -> Iterator[None]:
    """Open the span of a job's way into the queue of *node*."""
    with _tracer.start_as_current_span(
        f"send {TEMPLATE}",
        kind=SpanKind.PRODUCER,
        attributes={
            "messaging.system": "celery",
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
            "messaging.destination.name": queue_name(node),
            "messaging.destination.template": TEMPLATE,
            "wherry.message.type": RunJob.TYPE,
            "wherry.job.id": job_id,
        },
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except errdefs.Error as error:
            span.set_attribute("error.type", error.code)
            span.set_status(Status(StatusCode.ERROR, error.message))
            raise
