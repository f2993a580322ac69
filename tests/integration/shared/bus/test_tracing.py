"""Spans of the bus, with a real tracer and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared import errdefs
from shared.bus import names
from shared.bus.ports import Delivery
from tests.support.buses import NODE, Answer, Ask, Buses, Note
from tests.support.redis import RedisServer
from tests.support.spans import recorded
from tests.support.wait import eventually


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Record spans."""
    with recorded() as exporter:
        yield exporter


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (span,) = [one for one in spans.get_finished_spans() if one.name == name]
    return span


async def test_a_command_is_one_trace(
    buses: Buses, spans: InMemorySpanExporter, redis_server: RedisServer
) -> None:
    """The handler's span lies below the sender's, and what it sends lies below it."""
    desk = buses.make()

    async def handle(command: Ask, _arrival: Delivery) -> Answer:
        if command.text == "outer":
            return await desk.send(Ask(text="inner"), timeout_s=5)
        return Answer(text="done")

    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    await gateway.send(Ask(text="outer"), timeout_s=5, message_id="m-1")

    finished = spans.get_finished_spans()
    chain = {span.context.span_id: span for span in finished if span.context}
    (inner,) = [
        span
        for span in finished
        if span.kind is SpanKind.CONSUMER and span.name.startswith("process")
        if (span.attributes or {})["messaging.message.id"] != "m-1"
    ]
    kinds = []
    span: ReadableSpan | None = inner
    while span is not None:
        kinds.append(span.kind)
        span = chain[span.parent.span_id] if span.parent else None
    assert kinds == [SpanKind.CONSUMER, SpanKind.PRODUCER] * 2


async def test_spans_say_which_message_they_are_about(
    buses: Buses, spans: InMemorySpanExporter
) -> None:
    """Names have no node in them; attributes follow the conventions."""
    desk = buses.make()

    async def handle(_command: Ask, _arrival: Delivery) -> Answer:
        return Answer(text="")

    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    await gateway.send(Ask(), timeout_s=5, message_id="m-1")

    attributes = dict(named(spans, "send wherry:{node}:desk:commands").attributes or {})
    correlation = attributes.pop("messaging.message.conversation_id")
    assert correlation
    assert attributes == {
        "messaging.system": "redis",
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": names.commands(NODE, "desk"),
        "messaging.destination.template": "wherry:{node}:desk:commands",
        "messaging.message.id": "m-1",
        "wherry.message.type": Ask.TYPE,
    }
    process = named(spans, f"process {Ask.TYPE}").attributes or {}
    assert process["messaging.operation.type"] == "process"
    assert process["messaging.message.id"] == "m-1"


async def test_errors_are_marked_on_both_sides(buses: Buses, spans: InMemorySpanExporter) -> None:
    """An answer that is an error has its code; only a fault has a stack."""
    desk = buses.make()

    async def handle(command: Ask, _arrival: Delivery) -> Answer:
        raise errdefs.Conflict("no") if command.text == "no" else RuntimeError("fault")

    desk.serve({Ask: handle})
    await desk.open()
    gateway = await buses.opened()
    with pytest.raises(errdefs.Conflict):
        await gateway.send(Ask(text="no"), timeout_s=5)

    for name in ("send wherry:{node}:desk:commands", f"process {Ask.TYPE}"):
        span = named(spans, name)
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "conflict"
        assert not span.events
    spans.clear()

    with pytest.raises(errdefs.Internal):
        await gateway.send(Ask(text="fault"), timeout_s=5)
    fault = named(spans, f"process {Ask.TYPE}")
    assert (fault.attributes or {})["error.type"] == "RuntimeError"
    assert fault.events[0].name == "exception"


async def test_a_fact_is_a_trace_of_its_own_linked_to_its_cause(
    buses: Buses, spans: InMemorySpanExporter
) -> None:
    """Fan-out must not pile up below the request that caused it."""
    seen: list[int] = []

    async def handle(note: Note, _arrival: Delivery) -> None:
        seen.append(note.number)

    desk = await buses.opened("desk")
    desk.subscribe("desk", {Note: handle})
    await desk.publish(Note(number=1))
    await eventually(lambda: len(spans.get_finished_spans()) == 2)

    sent = named(spans, "send wherry:{node}:desk:changes")
    handled = named(spans, f"process {Note.TYPE}")
    assert handled.parent is None
    assert sent.context is not None
    assert [link.context.span_id for link in handled.links] == [sent.context.span_id]


async def test_without_tracing_nothing_of_it_is_sent(
    buses: Buses, redis_server: RedisServer
) -> None:
    """The traceparent field is left out, and spans do not record."""
    assert not trace.get_current_span().is_recording()
    gateway = await buses.opened()
    with pytest.raises(errdefs.DeadlineExceeded):
        await gateway.send(Ask(), timeout_s=0.05)

    entry = redis_server.command("XRANGE", names.commands(NODE, "desk"), "-", "+").splitlines()
    assert "tp" not in entry
    assert "deadline" in entry
