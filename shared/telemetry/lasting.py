"""Spans that outlast a process: begun by one, told by whoever is there when the work is over.

What is kept of such a span travels with the work, in its owner's database, so that neither a kill
nor a takeover loses it. What is done meanwhile lies below it, though it is told last.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Link, Status, StatusCode, format_span_id, format_trace_id
from pydantic import BaseModel, ConfigDict

from shared import errdefs
from shared.telemetry import context

_tracer = trace.get_tracer("wherry.lasting")
#: The id that the next span is to have; 0: any.
chosen_id: Final = ContextVar("chosen_id", default=0)


class LastingSpan(BaseModel):
    """A span that is not over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    #: W3C trace contexts: its own, that of the span above it, and of those that it is linked to.
    traceparent: str
    parent: str
    links: tuple[str, ...] = ()
    began_ns: int


def begin(
    now_ns: int, *, above: LastingSpan | None = None, links: tuple[str, ...] = ()
) -> LastingSpan | None:
    """Return a span below *above*, or else below the current one; None where none is recorded."""
    if above is None and not trace.get_current_span().is_recording():
        return None
    parent = above.traceparent if above else context.traceparent()
    cause = context.cause(parent)
    ids = f"{format_trace_id(cause.trace_id)}-{format_span_id(random.getrandbits(64) or 1)}"
    return LastingSpan(
        traceparent=f"00-{ids}-{cause.trace_flags:02x}",
        parent=parent,
        links=tuple(filter(None, links)),
        began_ns=now_ns,
    )


@contextmanager
def within(span: LastingSpan | None) -> Iterator[None]:
    """Do what the block does below a span; without one, in the trace that is current."""
    with context.within(span.traceparent if span else ""):
        yield


def end(
    span: LastingSpan | None,
    name: str,
    now_ns: int,
    attributes: Mapping[str, str | int],
    error: errdefs.Error | None = None,
) -> None:
    """Tell a span that is over, and what went wrong."""
    if span is None:
        return
    token = chosen_id.set(context.cause(span.traceparent).span_id)
    try:
        told = _tracer.start_span(
            name,
            context=context.below(span.parent),
            start_time=span.began_ns,
            links=[Link(context.cause(link)) for link in span.links],
            attributes=attributes,
        )
    finally:
        chosen_id.reset(token)
    if error is not None:
        told.set_attribute("error.type", error.code)
        told.set_status(Status(StatusCode.ERROR, error.message))
    told.end(now_ns)
