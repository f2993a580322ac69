"""A client span per call, by OpenTelemetry's conventions for RPC."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.plugin_rpc")


def calling(plugin: str, method: str) -> Opened:
    """Open the span of a call to a plugin."""
    return opened(
        _tracer,
        method,
        kind=SpanKind.CLIENT,
        attributes={
            "rpc.system.name": "docker_plugin",
            "rpc.method": method,
            "wherry.plugin": plugin,
        },
    )
