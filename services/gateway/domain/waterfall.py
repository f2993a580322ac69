"""A trace as a waterfall: its spans in order, where each stands, and what the time went to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.telemetry.kept import KeptSpan

#: Deeper ones are shown as if they were so deep.
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span and its place."""

    span: KeptSpan
    depth: int
    #: Of the whole, in thousandths.
    start: float
    width: float
    #: Whether the whole would have been over earlier, had this been faster.
    is_critical: bool

    @property
    def took_ns(self) -> int:
        """Return how long it took."""
        return self.span.end_ns - self.span.start_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """All bars from the top down, and what they are drawn over."""

    bars: tuple[Bar, ...]
    start_ns: int
    took_ns: int


def waterfall(spans: Sequence[KeptSpan]) -> Waterfall:
    """Lay spans out; those whose parent was not kept stand at the left."""
    if not spans:
        return Waterfall(bars=(), start_ns=0, took_ns=0)
    children = _children(spans)
    start_ns = min(span.start_ns for span in spans)
    took_ns = max(1, max(span.end_ns for span in spans) - start_ns)
    critical = {found.span_id for root in children[""] for found in _critical(root, children)}
    bars = tuple(
        Bar(
            span=span,
            depth=min(depth, _DEEPEST),
            start=1000 * (span.start_ns - start_ns) / took_ns,
            width=max(1.5, 1000 * (span.end_ns - span.start_ns) / took_ns),
            is_critical=span.span_id in critical,
        )
        for depth, span in _in_order(children)
    )
    return Waterfall(bars=bars, start_ns=start_ns, took_ns=took_ns)


def _children(spans: Sequence[KeptSpan]) -> Mapping[str, list[KeptSpan]]:
    """Return the spans by their parents, in order; those without one by the empty id."""
    known = {span.span_id for span in spans}
    found: defaultdict[str, list[KeptSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda one: (one.start_ns, one.end_ns)):
        found[span.parent_id if span.parent_id in known else ""].append(span)
    return found


def _in_order(children: Mapping[str, list[KeptSpan]]) -> Iterator[tuple[int, KeptSpan]]:
    waiting = [(0, span) for span in reversed(children[""])]
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]


def _critical(root: KeptSpan, children: Mapping[str, list[KeptSpan]]) -> Iterator[KeptSpan]:
    """Walk back from the end: what ended last before each moment is what was waited for."""
    waiting = [root]
    while waiting:
        span = waiting.pop()
        yield span
        moment = span.end_ns
        for child in sorted(children.get(span.span_id, []), key=lambda c: c.end_ns, reverse=True):
            if child.end_ns <= moment:
                waiting.append(child)
                moment = child.start_ns
