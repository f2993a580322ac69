"""A server span per request."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.gateway.entrypoints.app import App
from services.gateway.entrypoints.http import Receive, Scope, Send
from tests.support.gateway_app import AppWorld
from tests.support.spans import recorded

_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Record spans."""
    with recorded() as exporter:
        yield exporter


async def test_span(world: AppWorld, spans: InMemorySpanExporter) -> None:
    """The span is named by method and template, and its trace's id is answered."""
    response = await world.get("/v1.41/plugins/a/plugin/json")
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /plugins/{name}/json"
    assert span.kind is trace.SpanKind.SERVER
    assert span.attributes == {
        "http.request.method": "GET",
        "url.path": "/v1.41/plugins/a/plugin/json",
        "url.scheme": "http",
        "http.route": "/plugins/{name}/json",
        "wherry.plugin": "a/plugin",
        "http.response.status_code": 200,
    }
    trace_id = trace.format_trace_id(span.context.trace_id)
    assert response.headers["wherry-trace-id"] == trace_id


async def test_parent(world: AppWorld, spans: InMemorySpanExporter) -> None:
    """A client's trace goes on."""
    response = await world.client.get("/_ping", headers={"traceparent": _PARENT})
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert span.parent.span_id == 0xB7AD6B7169203331
    assert response.headers["wherry-trace-id"] == "0af7651916cd43dd8448eb211c80319c"


async def test_unknown_route(world: AppWorld, spans: InMemorySpanExporter) -> None:
    """A path that nobody serves does not become a span's name."""
    await world.get("/nope")
    (span,) = spans.get_finished_spans()
    assert span.name == "GET"
    assert span.status.status_code is trace.StatusCode.UNSET


async def test_fault(world: AppWorld, spans: InMemorySpanExporter) -> None:
    """Only answers of 500 and more are errors of the server."""
    await world.client.post("/plugins/a/enable")
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR


@pytest.mark.parametrize(
    ("method", "path", "headers", "is_recorded"),
    [
        pytest.param("GET", "/plugins", {}, False, id="a read"),
        pytest.param("GET", "/plugins", {"traceparent": _PARENT}, True, id="a client's trace"),
        pytest.param("GET", "/plugins/privileges", {}, True, id="a question to a registry"),
        pytest.param("POST", "/plugins/a/enable", {}, True, id="an action"),
    ],
)
async def test_without_a_back_end_reads_are_not_recorded(
    spans: InMemorySpanExporter,
    method: str,
    path: str,
    headers: dict[str, str],
    is_recorded: bool,
) -> None:
    """What a node keeps for itself is to be found among it."""

    async def served(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    app = App(served, are_reads_traced=False)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        response = await client.request(method, path, headers=headers)

    assert len(spans.get_finished_spans()) == is_recorded
    assert ("wherry-trace-id" in response.headers) == is_recorded


async def test_off(world: AppWorld) -> None:
    """Without a tracer no id is answered."""
    assert "wherry-trace-id" not in (await world.get("/_ping")).headers
