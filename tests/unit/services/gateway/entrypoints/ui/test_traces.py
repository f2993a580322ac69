"""Recent traces in the console."""

from __future__ import annotations

import pytest

from services.gateway.entrypoints.http import Request
from services.gateway.entrypoints.ui.guard import Guard, Visit
from services.gateway.entrypoints.ui.render import render
from services.gateway.entrypoints.ui.traces import TracePages
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.telemetry.kept import KeptSpan
from tests.support.bus import FakeSender
from tests.support.gateway import FakeChanges, plugin, snapshot

_TRACE = "ab12" * 8


def _span(span_id: str, parent_id: str, name: str, end_ns: int, *, trace: str = _TRACE) -> KeptSpan:
    return KeptSpan(
        trace_id=trace,
        parent_id=parent_id,
        span_id=span_id,
        name=name,
        service="wherry-store" if parent_id else "wherry-gateway",
        kind="internal" if parent_id else "server",
        start_ns=1,
        end_ns=end_ns,
        is_error=name == "<failed>",
        attributes={"wherry.plugin": "a/plugin:latest"},
    )


_SPANS = (
    _span("1", "", "POST /plugins/{name}/enable", 5_000_001),
    _span("2", "1", "<failed>", 4_000_001),
)


class _Kept:
    """A ports.Traces with one trace, and one of another plugin."""

    async def roots(self) -> tuple[KeptSpan, ...]:
        other = _span("9", "", "POST /other", 9_000_001, trace="cd34" * 8)
        return _SPANS[0], other.model_copy(update={"attributes": {}})

    async def about(self, trace_id: str) -> tuple[KeptSpan, ...]:
        return tuple(span for span in _SPANS if span.trace_id.startswith(trace_id))


def _request(query: str = "", **params: str) -> Request:
    async def receive() -> dict[str, object]:
        raise AssertionError("nothing is read")

    scope = {"method": "GET", "path": "/", "query_string": query.encode(), "headers": []}
    return Request(scope, receive, params)


def _visit() -> Visit:
    return Guard().visit(_request())


def _pages() -> TracePages:
    replica = Replica(sender=FakeSender(), changes=FakeChanges())
    replica.inventory.take(snapshot(1, plugin("a")))
    return TracePages(traces=_Kept(), replica=replica)


async def test_lists() -> None:
    """Traces are listed, the slowest first if wished; a plugin's page has its own alone."""
    every = await _pages().show(_request("order=slowest"), _visit())
    html = render("traces_table.html", every.values)
    assert html.index("/other") < html.index("/enable")
    own = await _pages().show_of_plugin(_request(name="a/plugin"), _visit())
    html = render("traces_table.html", own.values)
    assert f'href="/ui/traces/{_TRACE}"' in html
    assert "/other" not in html


async def test_waterfall() -> None:
    """A trace is its spans one below the other, drawn without a style in the page."""
    page = await _pages().show_one(_request(trace=_TRACE[:6]), _visit())
    fall = page.values["fall"]
    assert [bar.depth for bar in fall.bars] == [0, 1]
    assert page.values["services"] == ["wherry-gateway", "wherry-store"]
    with pytest.raises(errdefs.NotFound):
        await _pages().show_one(_request(trace="ffff"), _visit())
    with pytest.raises(errdefs.InvalidArgument):
        await _pages().show_one(_request(trace="<x>"), _visit())
