"""A reader's place in the feed."""

from __future__ import annotations

from services.gateway.domain.event_cursor import Cursor, Gap
from services.gateway.domain.event_reading import Reading
from services.gateway.domain.event_time import Window
from shared.contracts.event import FeedEvent, FeedFilter, FeedPage, FeedPosition
from tests.support.gateway import EPOCH, event


def _cursor(
    seq: int | None, *, after: int | None = 0, revision: int = 0, **terms: tuple[str, ...]
) -> Cursor:
    reading = Reading(
        window=Window(),
        filter=FeedFilter(terms=terms),
        after_seq=after,
        opened_ns=0,
        positions=(FeedPosition(source="store", epoch=EPOCH, revision=revision),),
    )
    return Cursor(reading=reading, seq=seq)


def _page(*events: FeedEvent, last: int, next_seq: int = 0, oldest: int = 1) -> FeedPage:
    return FeedPage(
        events=events, last_seq=last, next_seq=next_seq, more=bool(next_seq), oldest_seq=oldest
    )


def test_page_moves_behind_what_was_filtered_out() -> None:
    """A page stands for all events up to its end, also those that it does not show."""
    cursor = _cursor(0)
    assert cursor.take_page(_page(event(2), last=5)) == [event(2)]
    assert (cursor.seq, cursor.has_more) == (5, False)


def test_page_with_more() -> None:
    """A page that is followed by another moves only to where that begins."""
    cursor = _cursor(0)
    cursor.take_page(_page(event(1), event(2), last=9, next_seq=2))
    assert (cursor.seq, cursor.has_more) == (2, True)


def test_published_events_are_shown_once() -> None:
    """What a page has shown is not shown again when it is published."""
    cursor = _cursor(3)
    assert cursor.take_published([event(2), event(3), event(4)]) == [event(4)]
    assert cursor.seq == 4
    assert cursor.take_published([event(4)]) == []


def test_misses() -> None:
    """A hole before or among published events is seen; old events and none are no hole."""
    cursor = _cursor(3)
    assert cursor.misses([event(5)])
    assert cursor.misses([event(4), event(6)])
    assert not cursor.misses([event(2), event(3), event(4), event(5)])
    assert not cursor.misses([])


def test_unknown_place() -> None:
    """A reader that knows no number begins at the first to come."""
    cursor = _cursor(None, after=None)
    assert not cursor.misses([event(7)])
    assert cursor.take_published([event(7)]) == [event(7)]
    assert cursor.misses([event(9)])


def test_filter_passes_over() -> None:
    """An event that does not fit moves the cursor and is not shown."""
    cursor = _cursor(3, event=("disable",))
    assert cursor.take_published([event(4)]) == []
    assert cursor.seq == 4


def test_news_only() -> None:
    """Without history, what the client could already see is not shown, however late it comes."""
    cursor = _cursor(3, after=None, revision=5)
    assert cursor.take_published([event(4), event(5), event(6)]) == [event(6)]


def test_trimmed_feed() -> None:
    """A reader whose place is no longer kept is told what is missing."""
    cursor = _cursor(2)
    assert cursor.take_page(_page(event(6), last=6, oldest=6)) == [
        Gap(after_seq=2, oldest_seq=6),
        event(6),
    ]


def test_reading_from_the_beginning_has_no_gap() -> None:
    """Who asks for what is kept does not miss what is not."""
    assert _cursor(0).take_page(_page(event(6), last=6, oldest=6)) == [event(6)]


def test_feed_that_began_anew() -> None:
    """A place beyond the feed's end means another feed: the reader is told and begins again."""
    cursor = _cursor(50)
    assert cursor.take_page(_page(last=3, oldest=1)) == [Gap(after_seq=50, oldest_seq=1)]
    assert (cursor.seq, cursor.has_more) == (0, True)
