"""OpenTelemetry traces: kept on the node, and exported where the OTEL_* variables say so."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared import errdefs
from shared.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_KEEP: Final = "WHERRY_TRACE_BYTES"
_KEEP_BYTES: Final = 4 * 2**20

_flush: list[Callable[[], None]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """Where a process' spans go; nowhere costs nothing."""

    #: What is kept of each service in the data root; 0: nothing.
    keep_bytes: int
    is_exported: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> TraceSettings:
        """Read WHERRY_TRACE_BYTES and OpenTelemetry's variables; raises InvalidArgument."""
        keep_bytes = _keep_bytes(env.get(_KEEP, ""))
        if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return cls(keep_bytes=0, is_exported=False)
        return cls(keep_bytes=keep_bytes, is_exported=_is_exported(env))

    @property
    def are_reads_recorded(self) -> bool:
        """Tell whether requests that change nothing are worth a span: to a back end they are."""
        return self.is_exported


def set_up_traces(service: str, node: str, root: Path) -> None:
    """Record spans from now on, unless they would go nowhere; must be called after the fork.

    Raises InvalidArgument for a variable that is wrong.
    """
    settings = TraceSettings.from_env(os.environ)
    if not (settings.keep_bytes or settings.is_exported):
        return
    # Imported late: what a node without traces need not spend.
    from opentelemetry import trace

    provider = _provider(service, node, settings)
    if settings.keep_bytes:
        from shared.telemetry.recent import RecentSpans

        provider.add_span_processor(RecentSpans(root, service, keep_bytes=settings.keep_bytes))
    if settings.is_exported:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _flush.append(provider.shutdown)


def shut_down() -> None:
    """Send and write what is left, and end the threads that do so."""
    while _flush:
        _flush.pop()()


def _provider(service: str, node: str, settings: TraceSettings) -> TracerProvider:
    from opentelemetry.sdk.trace import TracerProvider

    from shared.telemetry import sampling
    from shared.telemetry.span_ids import SpanIds

    ours = sampling.everything() if settings.is_exported else sampling.foreground()
    return TracerProvider(
        resource=_resource(service, node),
        # Without one, the SDK's own: what OTEL_TRACES_SAMPLER says.
        sampler=None if os.environ.get("OTEL_TRACES_SAMPLER") else ours,
        id_generator=SpanIds(),
        shutdown_on_exit=False,
    )


def _resource(service: str, node: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    return Resource.create(
        {
            "service.name": f"wherry-{service}",
            "service.version": VERSION,
            "service.instance.id": f"{node}/{service}",
            "host.name": node,
        }
    )


def _is_exported(env: Mapping[str, str]) -> bool:
    chosen = env.get("OTEL_TRACES_EXPORTER", "")
    if chosen not in ("", "otlp", "none"):
        raise errdefs.InvalidArgument(
            f"OTEL_TRACES_EXPORTER={chosen}: must be otlp or none; a collector turns OTLP into "
            "whatever else is wanted"
        )
    return chosen == "otlp" or (not chosen and any(env.get(name) for name in _ENDPOINTS))


def _keep_bytes(text: str) -> int:
    if not text:
        return _KEEP_BYTES
    if not (text.isascii() and text.isdigit()):
        raise errdefs.InvalidArgument(
            f"{_KEEP}={text}: must be the bytes of traces that each service keeps, 0 for none"
        )
    return int(text)
