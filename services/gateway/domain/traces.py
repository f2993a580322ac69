"""Recent traces: a line of each, and the one that somebody asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared import errdefs
from shared.telemetry.kept import KeptSpan

_ID: Final = re.compile(r"[0-9a-f]{4,32}")
_REQUEST: Final = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One trace, and the first spans of those that it led to, and that these did."""

    trace_id: str
    spans: tuple[KeptSpan, ...]
    linked: tuple[KeptSpan, ...]


def listed(
    roots: Iterable[KeptSpan], *, everything: bool, plugin: str, is_slow_first: bool, limit: int
) -> tuple[KeptSpan, ...]:
    """Return the first spans of requests, or of all traces: the newest first, or the slowest."""
    wanted = [
        root
        for root in roots
        if (everything or root.kind == _REQUEST) and (not plugin or _is_about(root, plugin))
    ]
    key = _took_ns if is_slow_first else _began_ns
    return tuple(sorted(wanted, key=key, reverse=True)[:limit])


def chosen(found: Iterable[KeptSpan], prefix: str) -> Trace:
    """Return the trace whose id begins so; raises NotFound, or InvalidArgument for several."""
    spans = tuple(found)
    ids = sorted({span.trace_id for span in spans if span.trace_id.startswith(prefix)})
    if not ids:
        raise errdefs.NotFound(
            f"trace {prefix} not found: the node keeps recent ones only, and of requests that "
            "read none; `wherry trace ls` shows what there is"
        )
    if len(ids) > 1:
        raise errdefs.InvalidArgument(f"{prefix} is the beginning of several traces: {_said(ids)}")
    (trace_id,) = ids
    led_to = {trace_id, *(span.trace_id for span in spans if trace_id in span.links)}
    return Trace(
        trace_id=trace_id,
        spans=tuple(span for span in spans if span.trace_id == trace_id),
        linked=tuple(span for span in spans if not led_to.isdisjoint(span.links)),
    )


def check_id(prefix: str) -> None:
    """Raise InvalidArgument for what is no trace's id, nor the beginning of one."""
    if not _ID.fullmatch(prefix):
        raise errdefs.InvalidArgument(
            f"{prefix!r} is no trace's id: give its first four digits or more, as `wherry trace "
            "ls` and the header wherry-trace-id show them"
        )


def _is_about(root: KeptSpan, plugin: str) -> bool:
    named = str(root.attributes.get("wherry.plugin", ""))
    return plugin in (named, named.removesuffix(":latest"))


def _began_ns(span: KeptSpan) -> int:
    return span.start_ns


def _took_ns(span: KeptSpan) -> int:
    return span.end_ns - span.start_ns


def _said(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")
