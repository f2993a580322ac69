from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from deploy.demo.otlp import Span, spans_of


def a_request(service: str, *spans: trace_pb2.Span) -> ExportTraceServiceRequest:
    name = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return ExportTraceServiceRequest(
        resource_spans=[
            trace_pb2.ResourceSpans(
                resource=Resource(attributes=[name]),
                scope_spans=[trace_pb2.ScopeSpans(spans=spans)],
            )
        ]
    )


def test_spans_carry_ids_times_and_their_service() -> None:
    """What a tree shows is taken out of an export request, ids as hex."""
    sent = trace_pb2.Span(
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
        name="runc create",
        start_time_unix_nano=5,
        end_time_unix_nano=9,
    )
    assert spans_of(a_request("wherry-executor", sent)) == [
        Span(
            trace_id="01" * 16,
            span_id="02" * 8,
            parent_id="",
            name="runc create",
            service="wherry-executor",
            start_ns=5,
            end_ns=9,
        )
    ]
