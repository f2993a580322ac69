"""A reader's place in the feed: by it nothing is lost, and nothing is shown twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.domain.event_reading import Reading
from shared.contracts.event import FeedEvent, FeedPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events after *after_seq* and before *oldest_seq* are no longer kept."""

    after_seq: int
    oldest_seq: int


class Cursor:
    """Goes through pages of history and through what is published, in whatever turns.

    *seq* is the newest number that was shown or passed over; None: the first to come decides.
    """

    def __init__(self, *, reading: Reading, seq: int | None) -> None:
        self.reading = reading
        self.seq = seq
        #: Whether the page taken last said that another follows.
        self.has_more = False

    def take_page(self, page: FeedPage) -> list[FeedEvent | Gap]:
        """Move behind *page* and return what it has to show."""
        after_seq = self.seq or 0
        if page.last_seq < after_seq:
            # The feed began anew: its numbers mean other events than the reader knows.
            self.seq, self.has_more = 0, True
            return [Gap(after_seq=after_seq, oldest_seq=page.oldest_seq)]
        self.seq = page.next_seq if page.more else page.last_seq
        self.has_more = page.more
        shown: list[FeedEvent | Gap] = [e for e in page.events if self.reading.shows(e)]
        if 0 < after_seq < page.oldest_seq - 1:
            return [Gap(after_seq=after_seq, oldest_seq=page.oldest_seq), *shown]
        return shown

    def misses(self, published: Sequence[FeedEvent]) -> bool:
        """Tell whether events lie between the cursor and what was published."""
        if self.seq is None:
            return False
        fresh = [event.seq for event in published if event.seq > self.seq]
        return bool(fresh) and fresh != list(range(self.seq + 1, self.seq + 1 + len(fresh)))

    def take_published(self, published: Sequence[FeedEvent]) -> list[FeedEvent]:
        """Move behind what was published and return what of it is to be shown."""
        fresh = [event for event in published if self.seq is None or event.seq > self.seq]
        if fresh:
            self.seq = fresh[-1].seq
        return [event for event in fresh if self.reading.shows(event)]
