"""OpenTelemetry traces, configured by the standard OTEL_* variables; off costs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable

from shared.version import VERSION

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_flush: list[Callable[[], None]] = []


def set_up_traces(service: str, node: str) -> None:
    """Export spans by OTLP over HTTP when an endpoint is named; must be called after the fork."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    if not any(os.environ.get(variable) for variable in _ENDPOINTS):
        return
    # Imported late: half a second that a node without tracing need not spend.
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {
            "service.name": f"wherry-{service}",
            "service.version": VERSION,
            "service.instance.id": f"{node}/{service}",
            "host.name": node,
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _flush.append(provider.shutdown)


def shut_down() -> None:
    """Send what is left and end the exporter's thread."""
    while _flush:
        _flush.pop()()
