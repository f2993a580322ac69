"""A trace as text: a line per span, children below their parent, times in ms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from deploy.demo.otlp import Span

_NS_PER_MS = 1_000_000

#: A span, what is drawn before its name, what is drawn before its children's.
_Drawn = tuple[Span, str, str]


def render(spans: Sequence[Span]) -> str:
    """Return the tree of one trace, oldest first; a span whose parent is missing is a root."""
    if not spans:
        return "no span has arrived"
    drawn = list(_draw(spans))
    width = max(len(lead + span.name) for span, lead, _ in drawn)
    services = max(len(span.service) for span in spans)
    origin_ns = min(span.start_ns for span in spans)
    lines = [f"{'start':>8} {'took':>8} ms"]
    lines += [
        f"{_ms(span.start_ns - origin_ns)} {_ms(span.end_ns - span.start_ns)}    "
        f"{span.service:<{services}}  {lead + span.name:<{width}}".rstrip()
        for span, lead, _ in drawn
    ]
    return "\n".join(lines)


def _draw(spans: Sequence[Span]) -> Iterator[_Drawn]:
    ids = {span.span_id for span in spans}
    children: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (span.start_ns, span.end_ns)):
        children[span.parent_id if span.parent_id in ids else ""].append(span)
    for root in children[""]:
        yield root, "", ""
        yield from _below(root, children, "")


def _below(parent: Span, children: dict[str, list[Span]], indent: str) -> Iterator[_Drawn]:
    siblings = children[parent.span_id]
    for span in siblings:
        is_last = span is siblings[-1]
        lead, deeper = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield span, indent + lead, indent + deeper
        yield from _below(span, children, indent + deeper)


def _ms(duration_ns: int) -> str:
    return f"{duration_ns / _NS_PER_MS:8.1f}"
