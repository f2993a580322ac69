"""The event feed, live."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.gateway.domain.event_cursor import Gap
from services.gateway.domain.event_reading import Reading
from services.gateway.domain.event_time import Window
from services.gateway.ports import Lost
from services.gateway.service.feed import Batch, Feed
from services.gateway.service.subscription import WAITING_LIMIT
from shared import errdefs
from shared.contracts.event import EventPublished, FeedEvent, FeedFilter, FeedPosition, ReadFeed
from tests.support.bus import FakeSender
from tests.support.gateway import EPOCH, FakeChanges, FakeFeed, event
from tests.support.wait import all_have_run, eventually

_NOW_NS = 100 * 10**9


@dataclass(slots=True, kw_only=True)
class _World:
    feed: Feed
    changes: FakeChanges
    kept: FakeFeed
    now_ns: int = _NOW_NS
    revision: int = 0

    def publish(self, *events: FeedEvent) -> None:
        self.kept.append(*events)
        for one in events:
            self.changes.put(EventPublished(event=one))

    async def open(self, **more: Any) -> AsyncGenerator[Batch, None]:
        reading = Reading(
            **{
                "window": Window(),
                "filter": FeedFilter(),
                "opened_ns": self.now_ns,
                "positions": (FeedPosition(source="store", epoch=EPOCH, revision=self.revision),),
                **more,
            }
        )
        return await self.feed.open(reading)


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    """Run a feed against an event service that keeps a list."""
    changes, kept = FakeChanges(), FakeFeed()
    sender = FakeSender({ReadFeed: kept.answer})
    world: _World
    feed = Feed(
        sender=sender,
        changes=changes,
        positions=lambda: (FeedPosition(source="store", epoch=EPOCH, revision=world.revision),),
        clock=lambda: world.now_ns,
        retry_s=0.01,
    )
    world = _World(feed=feed, changes=changes, kept=kept)
    running = asyncio.create_task(feed.run())
    yield world
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _take(batches: AsyncGenerator[Batch, None], count: int) -> list[int | Gap]:
    taken: list[int | Gap] = []
    async with asyncio.timeout(5):
        while len(taken) < count:
            taken += [x.seq if isinstance(x, FeedEvent) else x for x in await anext(batches)]
    return taken


async def _rest(batches: AsyncGenerator[Batch, None]) -> list[int | Gap]:
    async with asyncio.timeout(5):
        batch = [item async for items in batches for item in items]
    return [x.seq if isinstance(x, FeedEvent) else x for x in batch]


async def test_news(world: _World) -> None:
    """Without times, a reader gets what is published from now on."""
    world.kept.append(event(1))
    batches = await world.open()
    world.publish(event(2), event(3))
    assert await _take(batches, 2) == [2, 3]
    await batches.aclose()


async def test_two_readers(world: _World) -> None:
    """Each reader gets all events, through its own filter."""
    everything = await world.open()
    disabling = await world.open(filter=FeedFilter(terms={"event": ("disable",)}))
    world.publish(event(1), event(2, action="disable"), event(3))
    assert await _take(everything, 3) == [1, 2, 3]
    assert await _take(disabling, 1) == [2]
    await everything.aclose()
    await disabling.aclose()


async def test_history_then_news(world: _World) -> None:
    """With a beginning, what is kept comes first, in pages, and what is published follows."""
    world.kept.page_length = 2
    world.kept.append(*map(event, range(1, 6)))
    batches = await world.open(window=Window(since_ns=2 * 10**9))
    world.publish(event(6))
    assert await _take(batches, 5) == [2, 3, 4, 5, 6]
    await batches.aclose()


async def test_published_while_history_is_read(world: _World) -> None:
    """What is published between the first page and the first look at the stream comes once."""
    world.kept.append(event(1))
    batches = await world.open(window=Window(since_ns=0))
    world.publish(event(2))
    await eventually(lambda: len(world.kept.events) == 2)
    assert await _take(batches, 2) == [1, 2]
    world.publish(event(3))
    assert await _take(batches, 1) == [3]
    await batches.aclose()


async def test_past_only(world: _World) -> None:
    """With an end in the past, the stream ends, once the feed has reached the inventory."""
    world.revision = 7
    world.kept.append(*map(event, range(1, 5)))
    batches = await world.open(window=Window(until_ns=3 * 10**9))
    assert await _rest(batches) == [1, 2, 3]
    (query,) = world.kept.queries
    assert query.reached == (FeedPosition(source="store", epoch=EPOCH, revision=7),)


async def test_until_in_the_future(world: _World) -> None:
    """With an end in the future, the stream ends then, with what was not published in time."""
    batches = await world.open(window=Window(until_ns=_NOW_NS + 10**8))
    world.publish(event(1))
    assert await _take(batches, 1) == [1]
    # The event service has it, and its publication is late.
    world.kept.append(event(2), event(3, time_ns=_NOW_NS + 2 * 10**8))
    world.now_ns += 2 * 10**8
    world.revision = 9
    assert await _rest(batches) == [2]
    assert world.kept.queries[-1].reached[0].revision == 9


async def test_hole_in_what_is_published(world: _World) -> None:
    """A number that was left out is read from the event service."""
    batches = await world.open(after_seq=0)
    world.kept.append(event(1), event(2))
    world.publish(event(3))
    assert await _take(batches, 3) == [1, 2, 3]
    await batches.aclose()


async def test_lost(world: _World) -> None:
    """Where the stream may have lost something, the event service is asked."""
    batches = await world.open()
    world.publish(event(1))
    assert await _take(batches, 1) == [1]
    world.kept.append(event(2))
    world.changes.put(Lost())
    assert await _take(batches, 1) == [2]
    await batches.aclose()


async def test_events_that_were_published_together(world: _World) -> None:
    """Each reaches the reader once, in order, also when some of them came before."""
    batches = await world.open()
    world.publish(event(1), event(2))
    assert await _take(batches, 2) == [1, 2]
    world.changes.put(EventPublished(event=event(2), later=(event(3), event(4))))
    assert await _take(batches, 2) == [3, 4]
    await batches.aclose()


async def test_event_service_away(world: _World) -> None:
    """A reader that misses something waits until the event service answers again."""
    batches = await world.open()
    world.publish(event(1))
    assert await _take(batches, 1) == [1]
    asked = len(world.kept.queries)
    world.kept.error = errdefs.Unavailable("away")
    world.kept.append(event(2))
    world.changes.put(Lost())
    waiting = asyncio.create_task(_take(batches, 1))
    await eventually(lambda: len(world.kept.queries) > asked + 2)
    world.kept.error = None
    assert await waiting == [2]
    await batches.aclose()


async def test_history_is_refused(world: _World) -> None:
    """History that cannot be read is an error before the stream begins, and leaves nothing."""
    world.kept.error = errdefs.DeadlineExceeded("behind")
    with pytest.raises(errdefs.DeadlineExceeded):
        await world.open(window=Window(since_ns=0))
    gc.collect()
    assert world.feed.listeners == 0


async def test_news_without_event_service(world: _World) -> None:
    """A reader of news may come while the event service is away."""
    world.kept.error = errdefs.Unavailable("away")
    batches = await world.open()
    world.kept.error = None
    world.publish(event(8))
    assert await _take(batches, 1) == [8]
    await batches.aclose()


async def test_slow_reader(world: _World) -> None:
    """A reader that falls behind loses and doubles nothing."""
    count = WAITING_LIMIT + 100
    batches = await world.open()
    world.publish(event(1, time_ns=1))
    assert await _take(batches, 1) == [1]
    world.publish(*(event(seq, time_ns=1) for seq in range(2, count + 1)))
    await all_have_run()
    assert await _take(batches, count - 1) == list(range(2, count + 1))
    await batches.aclose()


async def test_trimmed(world: _World) -> None:
    """A reader that resumes behind what is kept is told of the gap."""
    world.kept.append(*map(event, range(1, 6)))
    world.kept.trimmed = 3
    batches = await world.open(after_seq=1)
    assert await _take(batches, 3) == [Gap(after_seq=1, oldest_seq=4), 4, 5]
    await batches.aclose()


async def test_known_events_are_no_news(world: _World) -> None:
    """An event of a change that the client could see already is published too late to be news."""
    world.revision = 2
    batches = await world.open()
    world.publish(event(1), event(2), event(3))
    assert await _take(batches, 1) == [3]
    await batches.aclose()


async def test_close(world: _World) -> None:
    """When the gateway stops, readings end, those that come late too."""
    batches = await world.open()
    world.feed.close()
    assert await _rest(batches) == []
    assert await _rest(await world.open()) == []


async def test_listeners(world: _World) -> None:
    """A reading counts as long as it is open, and one that was never begun does not stay."""
    begun, unbegun = await world.open(), await world.open()
    world.publish(event(1))
    await _take(begun, 1)
    assert world.feed.listeners == 2
    await begun.aclose()
    assert world.feed.listeners == 1
    del unbegun
    gc.collect()
    assert world.feed.listeners == 0


def _at(revision: int) -> FeedPosition:
    return FeedPosition(source="store", epoch=EPOCH, revision=revision)


async def test_an_answer_waits_until_readers_were_handed_its_events(world: _World) -> None:
    """Who causes a change hears of it after those who follow the events, as with dockerd."""
    batches = await world.open()
    answering = asyncio.create_task(world.feed.told(_at(7)))
    await all_have_run()
    assert not answering.done()

    world.publish(event(7))
    await answering

    assert await _take(batches, 1) == [7]


async def test_an_answer_waits_for_nobody(world: _World) -> None:
    """Where nobody reads the events, they may come when they like."""
    async with asyncio.timeout(0.1):
        await world.feed.told(_at(7))


async def test_an_answer_does_not_wait_for_long(world: _World) -> None:
    """The change has happened, and the event service may be away."""
    batches = await world.open()
    async with asyncio.timeout(5):
        await world.feed.told(_at(7))
    await batches.aclose()
