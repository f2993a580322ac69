"""Which trace took an event in, until it is published."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.contracts.event import FeedEvent
from shared.telemetry import context

#: What waits to be published at most; of older events the trace is forgotten.
_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Origins:
    """Remembers it in memory only: of what is published after a restart no trace is known."""

    #: First and last number of events that were taken in together, and their traceparent.
    _noted: deque[tuple[int, int, str]] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def note(self, events: Sequence[FeedEvent]) -> None:
        """Note the current trace as that of events that were just taken in."""
        traceparent = context.traceparent()
        if events and traceparent:
            self._noted.append((events[0].seq, events[-1].seq, traceparent))

    def of(self, seq: int) -> str:
        """Return the traceparent of an event, empty for none; what lies before it is forgotten."""
        while self._noted and self._noted[0][1] < seq:
            self._noted.popleft()
        if not self._noted or self._noted[0][0] > seq:
            return ""
        return self._noted[0][2]
