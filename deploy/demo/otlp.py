"""A receiver of traces: OTLP over HTTP on loopback, kept in memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from deploy.demo.otlp_endpoint import OtlpEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span, as far as a tree shows it; *parent_id* is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    start_ns: int
    end_ns: int


class Receiver:
    """Takes spans in from all services of a node."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._spans: list[Span] = []
        self._at = OtlpEndpoint(self._take)

    def __enter__(self) -> Self:
        """Begin to receive."""
        self._at.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop receiving."""
        self._at.__exit__(*error)

    @property
    def endpoint(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT must say."""
        return self._at.url

    def trace_of(self, root: str, services: frozenset[str], *, within_s: float) -> list[Span]:
        """Return the trace whose root's name ends with *root*, once it is whole.

        Whole is: no parent is missing and all *services* took part. Returns what there is when
        the time is over.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: _is_whole(self._trace(root), services), within_s)
            return self._trace(root)

    def _trace(self, root: str) -> list[Span]:
        ids = {s.trace_id for s in self._spans if not s.parent_id and s.name.endswith(root)}
        return [span for span in self._spans if span.trace_id in ids]

    def _take(self, body: bytes) -> None:
        spans = spans_of(ExportTraceServiceRequest.FromString(body))
        with self._arrived:
            self._spans.extend(spans)
            self._arrived.notify_all()


def spans_of(request: ExportTraceServiceRequest) -> list[Span]:
    """Return the spans of an export request."""
    return [
        Span(
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            name=span.name,
            service=_service_of(group),
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _service_of(group: ResourceSpans) -> str:
    named = group.resource.attributes
    return next((a.value.string_value for a in named if a.key == "service.name"), "unknown")


def _is_whole(spans: list[Span], services: frozenset[str]) -> bool:
    ids = {span.span_id for span in spans}
    has_parents = all(not span.parent_id or span.parent_id in ids for span in spans)
    return has_parents and services <= {span.service for span in spans}
