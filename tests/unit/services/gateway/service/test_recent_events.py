"""The newest events."""

from __future__ import annotations

from services.gateway.domain.event_time import Window
from services.gateway.service.recent_events import RecentEvents
from shared.contracts.event import FeedFilter, ReadFeed
from tests.support.bus import FakeSender
from tests.support.gateway import FakeFeed, event


def _recent(kept: FakeFeed) -> RecentEvents:
    return RecentEvents(sender=FakeSender({ReadFeed: kept.answer}))


async def test_newest() -> None:
    """The last so many are given, oldest first, and where the feed stands."""
    kept = FakeFeed()
    kept.append(*(event(seq) for seq in range(1, 10)))
    found = await _recent(kept).read(FeedFilter(), Window(), count=3)
    assert [e.seq for e in found.events] == [7, 8, 9]
    assert found.last_seq == 9


async def test_rare() -> None:
    """Events that few pass are looked for further back."""
    kept = FakeFeed()
    kept.append(event(1, action="die"), *(event(seq) for seq in range(2, 2_000)))
    wanted = FeedFilter(terms={"event": ("die",)})
    found = await _recent(kept).read(wanted, Window(), count=3)
    assert [e.seq for e in found.events] == [1]
    assert found.last_seq == 1_999


async def test_since() -> None:
    """With a beginning all since then is read, page by page."""
    kept = FakeFeed()
    kept.page_length = 2
    kept.append(*(event(seq) for seq in range(1, 10)))
    found = await _recent(kept).read(FeedFilter(), Window(since_ns=4 * 10**9), count=100)
    assert [e.seq for e in found.events] == [4, 5, 6, 7, 8, 9]


async def test_empty() -> None:
    """Of an empty feed nothing is given, and a reader goes on from its beginning."""
    found = await _recent(FakeFeed()).read(FeedFilter(), Window(), count=3)
    assert (found.events, found.last_seq) == ((), 0)
