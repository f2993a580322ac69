"""Traces: the tree, the critical path, and what is told of them."""

from __future__ import annotations

import itertools
from typing import Any

from services.cli.domain import trace_text
from services.cli.domain.trace import ShownTrace, Span, Trace

_MS = 10**6


def span(name: str, parent: str, start_ms: int, end_ms: int, **more: Any) -> Span:
    """Return a span whose id is its name."""
    return Span(
        **{
            "trace_id": "ab" * 16,
            "span_id": name,
            "parent_id": parent,
            "name": name,
            "service": "store",
            "kind": "internal",
            "start_ns": start_ms * _MS,
            "end_ns": end_ms * _MS,
            **more,
        }
    )


def path_of(*spans: Span) -> list[tuple[str, int, int]]:
    """Return the critical path in milliseconds."""
    return [
        (part.span.name, part.start_ns // _MS, part.end_ns // _MS)
        for part in Trace(spans).critical_path()
    ]


def test_what_ran_side_by_side_counts_where_it_was_waited_for() -> None:
    """Of two at a time the one that ended last is on the path; gaps are their parent's."""
    path = path_of(
        span("root", "", 0, 100),
        span("short", "root", 10, 40),
        span("long", "root", 10, 90),
        span("in long", "long", 50, 80),
    )

    assert path == [
        ("root", 0, 10),
        ("long", 10, 50),
        ("in long", 50, 80),
        ("long", 80, 90),
        ("root", 90, 100),
    ]


def test_what_outlives_its_parent_counts_no_longer_than_that() -> None:
    """Work that goes on in the background held up nobody after the answer."""
    assert path_of(span("root", "", 0, 10), span("later", "root", 5, 50)) == [
        ("root", 0, 5),
        ("later", 5, 10),
    ]


def test_a_job_counts_where_it_is_waited_for() -> None:
    """Who queued it went on at once; whoever above was there until its end has waited."""
    path = path_of(
        span("request", "", 0, 100),
        span("queue", "request", 10, 20),
        span("job", "queue", 30, 90),
    )

    assert path == [
        *[("request", 0, 10), ("queue", 10, 20), ("request", 20, 30)],
        *[("job", 30, 90), ("request", 90, 100)],
    ]


def test_the_path_of_a_batch_is_the_batchs_own() -> None:
    """A request that only began one says nothing of how long it takes."""
    path = path_of(
        span("request", "", 0, 5), span("batch", "request", 2, 100), span("job", "batch", 10, 90)
    )

    assert path == [("batch", 2, 10), ("job", 10, 90), ("batch", 90, 100)]


def test_one_after_the_other_are_all_on_the_path() -> None:
    """Before what ended last began, the one that ended last before it was waited for."""
    path = path_of(span("root", "", 0, 9), span("a", "root", 0, 4), span("b", "root", 4, 9))

    assert path == [("a", 0, 4), ("b", 4, 9)]


def test_the_path_is_as_long_as_the_trace() -> None:
    """Nothing is counted twice, nothing is left out."""
    spans = [span("root", "", 0, 100)]
    spans += [span(f"s{n}", "root", 3 * n, 7 * n + 1) for n in range(1, 14)]

    path = Trace(spans).critical_path()
    assert sum(part.took_ns for part in path) == 100 * _MS
    for before, after in itertools.pairwise(path):
        assert before.end_ns == after.start_ns


def test_unexplained_is_what_lies_between_spans() -> None:
    """Spans without any below them explain themselves, messages are on the bus meanwhile."""
    trace = Trace(
        [
            span("root", "", 0, 100),
            span("send", "root", 10, 90, kind="producer"),
            span("process", "send", 20, 80),
            span("work", "process", 30, 80),
        ]
    )

    unexplained = [(part.span.name, part.took_ns // _MS) for part in trace.unexplained()]
    assert unexplained == [("root", 10), ("process", 10), ("root", 10)]


def test_a_span_whose_parent_is_missing_is_shown_all_the_same() -> None:
    """A trace is whole when it has one root, and that has no parent."""
    orphan = Trace([span("root", "", 0, 9), span("lost", "gone", 1, 2)])

    assert [root.name for root in orphan.roots] == ["root", "lost"]
    assert not orphan.is_whole
    assert not Trace([span("below a client's", "client", 0, 9)]).is_whole
    assert Trace([span("root", "", 0, 9)]).is_whole


def test_the_tree_is_shown_with_times_and_what_led_on() -> None:
    """The critical path is marked, messages are named by what they say, failures say why."""
    attributes = {"wherry.message.type": "store.plugin.enable.v1"}
    spans = [
        span("POST /x", "", 0, 100, service="gateway", attributes={"wherry.plugin": "p"}),
        span("send a:b", "POST /x", 10, 90, kind="producer", attributes=attributes),
        span("work", "send a:b", 20, 80, is_error=True, error="no room"),
    ]
    linked = (span("process event", "", 95, 99, trace_id="cd" * 16),)

    sent = "store: send store.plugin.enable.v1"
    text = trace_text.shown(
        ShownTrace(trace_id="ab" * 16, trace=Trace(spans), linked=linked, body={})
    )

    assert text.splitlines() == [
        f"trace {'ab' * 16}",
        "",
        "    start      took  critical ms",
        f"      0.0     100.0      20.0 *  gateway  POST /x{' ' * 25}plugin=p",
        "     10.0      80.0      20.0 *  store    └─ send store.plugin.enable.v1",
        f"     20.0      60.0      60.0 *  store       └─ work{' ' * 22}failed: no room",
        "",
        f"* critical path, 100.0 ms: store: work 60 %, gateway: POST /x 20 %, {sent} 20 %",
        "  on the message bus 20 %; between spans, so not explained, 20 %",
        "",
        "led to:",
        "  cdcdcdcdcdcd  store  process event",
    ]


def test_a_list_has_a_line_for_each() -> None:
    """An id that can be given to show, how long ago, how long, how it ended."""
    root = span(
        "POST /plugins/{name}/enable",
        "",
        0,
        1500,
        attributes={"http.response.status_code": 200, "wherry.plugin": "p"},
    )

    heading, line = trace_text.listed([root], 11_500 * _MS).splitlines()
    assert heading.split() == ["TRACE", "AGO", "TOOK", "STATUS", "REQUEST", "PLUGIN"]
    assert line.split() == [
        *("abababababab", "10s", "1500.0", "ms", "200"),
        *("POST", "/plugins/{name}/enable", "p"),
    ]
    assert "no traces are kept" in trace_text.listed([], 0)
