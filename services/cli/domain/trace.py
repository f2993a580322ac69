"""A trace: spans in a tree, and the path through it that made it take as long as it did."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

#: What outlasts the request that began it.
_BATCH: Final = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span that has ended; *parent_id* is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    kind: str
    start_ns: int
    end_ns: int
    error: str = ""
    is_error: bool = False
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's span."""
        return cls(**{field.name: shown[field.name] for field in dataclasses.fields(cls)})

    @property
    def took_ns(self) -> int:
        """Return how long it lasted."""
        return self.end_ns - self.start_ns

    @property
    def is_on_bus(self) -> bool:
        """Tell whether its time, but for what is below it, is a message's on its way."""
        return self.kind == "producer"

    @property
    def title(self) -> str:
        """Return what a person calls it: of a message, what it says instead of where it goes."""
        if self.name.startswith("send ") and "wherry.message.type" in self.attributes:
            return f"send {self.attributes['wherry.message.type']}"
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the critical path: while it lasted, this span and none below it held up the end."""

    span: Span
    start_ns: int
    end_ns: int

    @property
    def took_ns(self) -> int:
        """Return how long it lasted."""
        return self.end_ns - self.start_ns


class Trace:
    """The spans of one trace; one whose parent is missing is a root."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = tuple(sorted(spans, key=lambda span: (span.start_ns, -span.end_ns)))
        self._by_id = {span.span_id: span for span in spans}
        self._children: dict[str, list[Span]] = defaultdict(list)
        self._waited_for: dict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            above = self._by_id.get(span.parent_id)
            self._children[above.span_id if above else ""].append(span)
            waiting = self._waiting(span)
            self._waited_for[waiting.span_id if waiting else ""].append(span)

    @property
    def roots(self) -> Sequence[Span]:
        """Return the spans without a parent, oldest first."""
        return self._children.get("", ())

    @property
    def is_whole(self) -> bool:
        """Tell whether it has one root, and no parent is missing."""
        return len(self.roots) == 1 and not self.roots[0].parent_id

    def children(self, span: Span) -> Sequence[Span]:
        """Return the spans right below one, oldest first."""
        return self._children.get(span.span_id, ())

    def critical_path(self) -> tuple[Segment, ...]:
        """Return what held up the end of the first root, or of the batch that a request began.

        Walked back from the end: of the spans below, the one that ended last is what was waited
        for, and before its start the one that ended last before that.
        """
        batches = [span for span in self.spans if span.name == _BATCH]
        whole = batches or self.roots
        if not whole:
            return ()
        return tuple(reversed(list(self._back_from(whole[0], whole[0].end_ns))))

    def unexplained(self) -> tuple[Segment, ...]:
        """Return those parts of the critical path that no span says more about.

        A span without others below it says what its time went into; one that has some says so
        only of what they cover. A message's own time is that on the bus, both ways.
        """
        return tuple(
            part
            for part in self.critical_path()
            if self._waited_for.get(part.span.span_id) and not part.span.is_on_bus
        )

    def _waiting(self, span: Span) -> Span | None:
        """Return the span that waits for one: its parent, unless that only set it going.

        A parent that was over before half of it had happened did not wait; whoever above was still
        there at its end did.
        """
        parent = above = self._by_id.get(span.parent_id)
        if parent is None or parent.end_ns > (span.start_ns + span.end_ns) // 2:
            return parent
        while above is not None and above.end_ns < span.end_ns:
            above = self._by_id.get(above.parent_id)
        return above or parent

    def _back_from(self, span: Span, until_ns: int) -> Iterator[Segment]:
        """Yield the path below *span* up to a moment, the last part first."""
        now_ns = min(until_ns, span.end_ns)
        waited_for = self._waited_for.get(span.span_id, ())
        for child in sorted(waited_for, key=lambda child: child.end_ns, reverse=True):
            if child.start_ns >= now_ns:
                continue
            ended_ns = min(child.end_ns, now_ns)
            if ended_ns <= span.start_ns:
                break
            if ended_ns < now_ns:
                yield Segment(span=span, start_ns=ended_ns, end_ns=now_ns)
            yield from self._back_from(child, ended_ns)
            now_ns = max(child.start_ns, span.start_ns)
        if now_ns > span.start_ns:
            yield Segment(span=span, start_ns=span.start_ns, end_ns=now_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTrace:
    """What the node has kept of a trace, and the first spans of those that it led to."""

    trace_id: str
    trace: Trace
    linked: tuple[Span, ...]
    #: As the gateway told it.
    body: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        return cls(
            trace_id=body["trace_id"],
            trace=Trace(list(map(Span.from_json, body["spans"]))),
            linked=tuple(map(Span.from_json, body["linked"])),
            body=body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How a request ended, and the trace of it; no trace where none is recorded."""

    trace_id: str
    error: Exception | None = None
