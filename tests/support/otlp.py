"""A receiver of traces for tests: OTLP over HTTP on loopback, everything kept as it came."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from deploy.demo.otlp_endpoint import OtlpEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSpan:
    """A span as it was sent; *parent_id* is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    is_error: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    #: Trace and span that it is linked to.
    links: tuple[tuple[str, str], ...]

    @property
    def service(self) -> str:
        """Return who sent it."""
        return str(self.resource["service.name"])


class Collector:
    """Takes spans in from all services of a node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[SeenSpan] = []
        self._raw = bytearray()
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

    @property
    def spans(self) -> list[SeenSpan]:
        """Return all that came so far."""
        with self._lock:
            return list(self._spans)

    @property
    def raw(self) -> bytes:
        """Return every byte that came so far, unpacked."""
        with self._lock:
            return bytes(self._raw)

    def trace(self, trace_id: str) -> list[SeenSpan]:
        """Return the spans of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def roots(self, name: str) -> list[SeenSpan]:
        """Return the first spans of traces that begin so."""
        return [span for span in self.spans if not span.parent_id and span.name == name]

    def _take(self, body: bytes) -> None:
        spans = list(_read(ExportTraceServiceRequest.FromString(body)))
        with self._lock:
            self._raw += body
            self._spans += spans


def _read(request: ExportTraceServiceRequest) -> Iterator[SeenSpan]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield SeenSpan(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    is_error=span.status.code == 2,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
