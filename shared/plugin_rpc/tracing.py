"""A client span per call, by OpenTelemetry's conventions for RPC."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.plugin_rpc")


def calling(plugin: str, method: str) -> Opened:
    """Open the span of a call to a plugin."""
    service, _, name = method.rpartition(".")
    return opened(
        _tracer,
        method,
        kind=SpanKind.CLIENT,
        attributes={"rpc.service": service, "rpc.method": name, "wherry.plugin": plugin},
    )
