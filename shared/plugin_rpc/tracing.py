"""A client span per call, by OpenTelemetry's conventions for RPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from shared import errdefs

_tracer = trace.get_tracer("wherry.plugin_rpc")


@contextmanager
def calling(plugin: str, method: str) -> Iterator[None]:
    """Open the span of a call to a plugin."""
    service, _, name = method.rpartition(".")
    with _tracer.start_as_current_span(
        method,
        kind=SpanKind.CLIENT,
        attributes={"rpc.service": service, "rpc.method": name, "wherry.plugin": plugin},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except errdefs.Error as error:
            span.set_attribute("error.type", error.code)
            span.set_status(Status(StatusCode.ERROR, error.message))
            raise
