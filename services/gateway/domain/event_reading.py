"""What one reader of the event feed asked for."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.domain.event_time import Window
from shared.contracts.event import FeedEvent, FeedFilter, FeedPosition, ReadFeed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A reader's wish, and the moment it was made."""

    window: Window
    filter: FeedFilter
    #: Read on after this number; None: not asked for.
    after_seq: int | None = None
    opened_ns: int
    #: What the client could know of at that moment.
    positions: tuple[FeedPosition, ...]

    @property
    def has_history(self) -> bool:
        """Say whether events of the past are asked for."""
        return self.after_seq is not None or not self.window.is_open

    @property
    def is_past(self) -> bool:
        """Say whether only events of the past are asked for."""
        return self.window.is_past(self.opened_ns)

    def first_page(self) -> ReadFeed:
        """Return the command that begins; with an end, nothing before it may be missing."""
        reached = self.positions if self.window.until_ns is not None else ()
        return self.page(after_seq=self.after_seq or 0, reached=reached)

    def page(self, *, after_seq: int, reached: tuple[FeedPosition, ...] = ()) -> ReadFeed:
        """Return the command that reads on, once the feed has taken in what was *reached*."""
        return ReadFeed(
            after_seq=after_seq,
            since_ns=self.window.since_ns,
            until_ns=self.window.until_ns,
            filter=self.filter,
            reached=reached,
        )

    def shows(self, event: FeedEvent) -> bool:
        """Tell whether an event is what was asked for."""
        return self._is_news(event) and self._is_in_time(event) and self.filter.matches(event)

    def _is_news(self, event: FeedEvent) -> bool:
        # What the client could see before it asked is the past, however late it is published.
        return self.has_history or not any(
            event.epoch == known.epoch and event.revision <= known.revision
            for known in self.positions
        )

    def _is_in_time(self, event: FeedEvent) -> bool:
        since_ns, until_ns = self.window.since_ns, self.window.until_ns
        return (since_ns is None or event.time_ns >= since_ns) and (
            until_ns is None or event.time_ns <= until_ns
        )
