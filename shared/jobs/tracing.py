"""The span of a job that is queued, by OpenTelemetry's conventions for messaging."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from shared.contracts.job import RunJob
from shared.jobs.names import TEMPLATE, queue_name
from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.jobs")


def sending(node: str, job_id: str) -> Opened:
    """Open the span of a job's way into the queue of *node*."""
    return opened(
        _tracer,
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
    )
