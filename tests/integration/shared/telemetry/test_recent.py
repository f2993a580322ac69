"""Recent spans, in files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer, format_trace_id

from services.gateway.adapters.traces import FolderTraces
from shared.telemetry import kept
from shared.telemetry.recent import RecentSpans
from tests.support.wait import eventually


@contextmanager
def recording(root: Path, *, keep_bytes: int = 2**20) -> Iterator[Tracer]:
    """Give a service's tracer; all that it made is written at the end."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RecentSpans(root, "store", keep_bytes=keep_bytes))
    yield provider.get_tracer("test")
    provider.shutdown()


async def test_what_ended_is_read_back(tmp_path: Path) -> None:
    """A span has its place in the tree, its attributes, how it ended and what it goes back to."""
    with recording(tmp_path) as tracer:
        cause = tracer.start_span("cause")
        with (
            tracer.start_as_current_span(
                "root", kind=SpanKind.SERVER, links=[Link(cause.get_span_context())]
            ) as root,
            tracer.start_as_current_span("below", attributes={"n": 1}) as below,
        ):
            below.set_status(Status(StatusCode.ERROR, "no"))
        cause.end()

    trace_id = format_trace_id(root.get_span_context().trace_id)
    found = {span.name: span for span in await FolderTraces(tmp_path).about(trace_id[:8])}
    assert set(found) == {"root", "below"}
    assert found["root"].parent_id == ""
    assert found["root"].kind == "server"
    assert found["root"].links == (format_trace_id(cause.get_span_context().trace_id),)
    assert found["below"].parent_id == found["root"].span_id
    assert (found["below"].is_error, found["below"].error) == (True, "no")
    assert found["below"].attributes == {"n": 1}
    assert found["root"].start_ns <= found["below"].start_ns <= found["below"].end_ns


async def test_roots_are_found_among_others(tmp_path: Path) -> None:
    """A list shows the first span of each trace."""
    with recording(tmp_path) as tracer:
        for name in ("one", "two"):
            with tracer.start_as_current_span(name), tracer.start_as_current_span("below"):
                pass

    assert {span.name for span in await FolderTraces(tmp_path).roots()} == {"one", "two"}


async def test_a_service_keeps_no_more_than_it_may(tmp_path: Path) -> None:
    """The oldest spans go, the newest are there."""
    limit = 20_000
    for round_number in range(12):
        with recording(tmp_path, keep_bytes=limit) as tracer:
            for number in range(10):
                tracer.start_span(f"{round_number}-{number}").end()

    size = sum(path.stat().st_size for path in kept.folder(tmp_path).iterdir())
    assert size < 1.5 * limit
    names = {span.name for span in await FolderTraces(tmp_path).roots()}
    assert "11-9" in names
    assert "0-0" not in names


async def test_lines_that_are_cut_are_passed_over(tmp_path: Path) -> None:
    """A disk that was full has left half a line, which hides nothing behind the next newline."""
    with recording(tmp_path) as tracer:
        tracer.start_span("whole").end()
    _, path = kept.files(tmp_path, "store")
    path.write_bytes(path.read_bytes() + b'{"trace_id":"ab","parent_id":""')

    assert [span.name for span in await FolderTraces(tmp_path).roots()] == ["whole"]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    """Folder and files are the node's user's alone."""
    with recording(tmp_path) as tracer:
        tracer.start_span("one").end()

    folder = kept.folder(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


async def test_a_folder_that_can_not_be_written_costs_spans_alone(tmp_path: Path) -> None:
    """Work goes on, and so do later spans once it can."""
    folder = kept.folder(tmp_path)
    folder.write_text("in the way")
    with recording(tmp_path) as tracer:
        tracer.start_span("lost").end()
    folder.unlink()
    with recording(tmp_path) as tracer:
        tracer.start_span("kept").end()

    assert [span.name for span in await FolderTraces(tmp_path).roots()] == ["kept"]


async def test_a_span_that_no_text_encodes_is_passed_over(tmp_path: Path) -> None:
    """Those that end with it and after it are kept: one span does not end the keeping."""
    with recording(tmp_path) as tracer:
        tracer.start_span("before").end()
        tracer.start_span(os.fsdecode(b"f\xe9e")).end()
        tracer.start_span("beside").end()
        _, path = kept.files(tmp_path, "store")
        await eventually(path.exists)
        tracer.start_span("after").end()

    names = {span.name for span in await FolderTraces(tmp_path).roots()}
    assert names == {"before", "beside", "after"}
