"""A span as a node keeps it: one line of JSON in a file of its service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json


class KeptSpan(BaseModel):
    """A span that has ended; *parent_id* is empty for a root."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # First, so that a line can be told from others without being parsed.
    trace_id: str
    parent_id: str
    span_id: str
    name: str
    service: str
    kind: str
    start_ns: int
    end_ns: int
    #: What went wrong; *is_error* may be true without a word.
    error: str = ""
    is_error: bool = False
    attributes: Mapping[str, Any] = {}
    #: Ids of the traces that led to this span.
    links: tuple[str, ...] = ()


def line_of(span: ReadableSpan, service: str) -> bytes:
    """Return the line of a span that has ended, as KeptSpan reads it."""
    context = span.get_span_context()
    assert context is not None  # a span that was recorded has one
    # Not through the model: each span of a node passes here, and few are ever read.
    fields = {
        "trace_id": format_trace_id(context.trace_id),
        "parent_id": format_span_id(span.parent.span_id) if span.parent else "",
        "span_id": format_span_id(context.span_id),
        "name": span.name,
        "service": service,
        "kind": span.kind.name.lower(),
        "start_ns": span.start_time or 0,
        "end_ns": span.end_time or 0,
        "error": span.status.description or "",
        "is_error": span.status.status_code is StatusCode.ERROR,
        "attributes": dict(span.attributes or {}),
        "links": [format_trace_id(link.context.trace_id) for link in span.links],
    }
    return to_json(fields) + b"\n"


def trace_mark(prefix: str) -> bytes:
    """Return what stands in each line of a trace whose id begins so, or of one that it led to."""
    return f'"{prefix}'.encode()


#: What stands in the line of a span with links.
LINKED_MARK = b'"links":["'
#: What stands in the line of a root.
ROOT_MARK = b'"parent_id":""'


def folder(root: Path) -> Path:
    """Return where a node keeps its recent traces: root's alone."""
    return root / "traces"


def files(root: Path, service: str) -> tuple[Path, Path]:
    """Return a service's files: the older one, and the one that is written."""
    here = folder(root)
    return here / f"{service}.1.jsonl", here / f"{service}.jsonl"
