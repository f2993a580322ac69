from __future__ import annotations

import gzip
import time

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from deploy.demo.otlp import Receiver

GATEWAY = frozenset({"gateway"})
BOTH = frozenset({"gateway", "store"})


def a_span(name: str, span_id: bytes, parent_id: bytes = b"") -> trace_pb2.Span:
    return trace_pb2.Span(
        trace_id=b"\x01" * 16, span_id=span_id * 8, parent_span_id=parent_id * 8, name=name
    )


def send(receiver: Receiver, service: str, span: trace_pb2.Span, *, packed: bool = False) -> None:
    name = KeyValue(key="service.name", value=AnyValue(string_value=service))
    group = trace_pb2.ResourceSpans(
        resource=Resource(attributes=[name]), scope_spans=[trace_pb2.ScopeSpans(spans=[span])]
    )
    body = ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()
    answer = httpx.post(
        f"{receiver.endpoint}/v1/traces",
        content=gzip.compress(body) if packed else body,
        headers={"Content-Encoding": "gzip"} if packed else {},
    )
    assert answer.status_code == 200


def test_trace_is_put_together_from_what_services_send() -> None:
    """Spans of one trace come from several services, plain and packed, in any order."""
    with Receiver() as receiver:
        send(receiver, "store", a_span("process", b"b", b"a"), packed=True)
        send(receiver, "gateway", a_span("POST /plugins/{name}/enable", b"a"))
        spans = receiver.trace_of("/enable", BOTH, within_s=5)
    assert {span.name for span in spans} == {"process", "POST /plugins/{name}/enable"}


def test_trace_that_lacks_a_service_or_a_parent_is_waited_for() -> None:
    """What has arrived is given when the time is over, and not before."""
    with Receiver() as receiver:
        send(receiver, "gateway", a_span("POST /enable", b"a"))
        assert len(receiver.trace_of("/enable", GATEWAY, within_s=60)) == 1

        began_s = time.monotonic()
        assert len(receiver.trace_of("/enable", BOTH, within_s=0.1)) == 1
        assert time.monotonic() - began_s >= 0.1

        send(receiver, "gateway", a_span("deep", b"c", b"b"))
        assert len(receiver.trace_of("/enable", GATEWAY, within_s=0.1)) == 2


def test_other_traces_are_left_out() -> None:
    """Only the trace whose root has the name is returned."""
    with Receiver() as receiver:
        send(receiver, "gateway", a_span("GET /plugins", b"a"))
        assert receiver.trace_of("/enable", GATEWAY, within_s=0.1) == []
