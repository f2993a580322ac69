"""A span per transaction that writes, by OpenTelemetry's conventions for databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from shared import errdefs

_tracer = trace.get_tracer("wherry.sqlite")


@contextmanager
def writing(database: str) -> Iterator[None]:
    """Open the span of a transaction, from its being asked for until it is on disk.

    Below another span alone: what a service writes by itself is no trace.
    """
    if not trace.get_current_span().is_recording():
        yield
        return
    with _tracer.start_as_current_span(
        f"transaction {database}",
        kind=SpanKind.CLIENT,
        attributes={"db.system.name": "sqlite", "db.namespace": database},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except errdefs.Error as error:
            span.set_attribute("error.type", error.code)
            span.set_status(Status(StatusCode.ERROR, error.message))
            raise
