"""A request's own trace, asked for until it is whole."""

from __future__ import annotations

import pytest

from services.cli.domain.trace import Answered, ShownTrace, Span, Trace
from services.cli.service.traces import TraceRun
from shared import errdefs
from tests.support.cli_jobs import FakeApi

_ID = "ab" * 16


def kept(*names: str) -> ShownTrace:
    """Return a trace of a root and of spans below it."""
    spans = [
        Span(
            trace_id=_ID,
            span_id=name,
            parent_id="" if name == "root" else "root",
            name=name,
            service="store",
            kind="internal",
            start_ns=0,
            end_ns=1,
        )
        for name in names
    ]
    return ShownTrace(trace_id=_ID, trace=Trace(spans), linked=(), body={})


def run(api: FakeApi) -> ShownTrace:
    """Ask for the trace without waiting."""
    return TraceRun(api=api, sleep=lambda _s: None).show(Answered(trace_id=_ID))


def test_it_is_whole_when_nothing_is_added() -> None:
    """Spans come file by file; two looks that agree, with the root there, are the end."""
    api = FakeApi(kept=[kept("a"), kept("root", "a"), kept("root", "a", "b")])

    assert len(run(api).trace.spans) == 3


def test_what_never_becomes_whole_is_shown_in_the_end() -> None:
    """A client's own trace has its root elsewhere."""
    assert [span.name for span in run(FakeApi(kept=[kept("a")])).trace.spans] == ["a"]


def test_what_is_not_kept_is_said() -> None:
    """The node may send its traces elsewhere, or record none."""
    with pytest.raises(errdefs.Unavailable, match="WHERRY_TRACE_BYTES"):
        run(FakeApi())
    with pytest.raises(errdefs.Unavailable, match="OTEL_SDK_DISABLED"):
        TraceRun(api=FakeApi()).show(Answered(trace_id=""))
