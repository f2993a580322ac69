"""The event service's handlers over a feed that lives in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from services.event.domain.feed import Change, PluginTold, happenings
from services.event.service.feed import EventService, Reached, Retention
from shared import errdefs
from shared.contracts.event import FeedEvent, FeedPage, FeedPosition, ReadFeed
from shared.contracts.store import Fact
from shared.contracts.volume import VolumesChanged
from tests.support.bus import delivery

SECOND_NS = 1_000_000_000


class FakeFeed:
    """A ports.Feed in memory that answers each page with all it has; *error* is raised instead."""

    def __init__(self) -> None:
        self.events: list[FeedEvent] = []
        self.revisions: dict[str, int] = {}
        self.error: errdefs.Error | None = None
        self.trims: list[tuple[int, int]] = []
        #: What the next trims delete, last first.
        self.old: list[int] = []

    async def positions(self) -> tuple[FeedPosition, ...]:
        return tuple(
            FeedPosition(source="store", epoch=e, revision=r) for e, r in self.revisions.items()
        )

    async def take_in(self, changes: Sequence[Change], *, now_ns: int) -> tuple[FeedEvent, ...]:
        self._raise()
        return tuple(event for change in changes for event in self._add(change, now_ns))

    def _add(self, change: Change, now_ns: int) -> tuple[FeedEvent, ...]:
        reached = self.revisions.get(change.epoch, 0)
        new = happenings(change, reached=reached, node="n1", now_ns=now_ns)
        events = tuple(one.numbered(len(self.events) + 1 + n) for n, one in enumerate(new))
        self.events += events
        self.revisions[change.epoch] = max(reached, change.revision)
        return events

    async def page(self, query: ReadFeed) -> FeedPage:
        self._raise()
        last = len(self.events)
        return FeedPage(events=tuple(self.events), last_seq=last, next_seq=last)

    async def trim(self, *, keep: int, before_ns: int) -> int:
        self.trims.append((keep, before_ns))
        self._raise()
        return self.old.pop() if self.old else 0

    async def probe(self) -> None:
        self._raise()

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error


def change(revision: int, *, epoch: str = "e1") -> PluginTold:
    fact = Fact(action="enable", actor_id="p1", time_ns=revision)
    return PluginTold(epoch=epoch, revision=revision, facts=(fact,))


class Bench:
    """The service under test, its feed, and how often publishing was asked for."""

    def __init__(self, *positions: FeedPosition) -> None:
        self.feed = FakeFeed()
        self.added: list[int] = []
        self.service = EventService(
            feed=self.feed,
            reached=Reached(positions),
            clock=time.time_ns,
            added=lambda events: self.added.append(len(events)),
        )

    async def take_in(self, *changes: Change) -> None:
        for one in changes:
            await self.service.take_in(one, delivery())

    async def read(self, query: ReadFeed, *, patience_s: float = 10.0) -> FeedPage:
        deadline_ns = time.time_ns() + int(patience_s * SECOND_NS)
        return await self.service.read_feed(query, delivery(deadline_ns=deadline_ns))


async def turns(count: int = 50) -> None:
    """Let other tasks run: enough for all that needs no clock."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_change_is_taken_in_and_announced() -> None:
    """The events of a change can be read, and wait to be published."""
    bench = Bench()
    await bench.take_in(change(1), change(2))

    page = await bench.read(ReadFeed(min_revision=2, epoch="e1"))
    assert [event.seq for event in page.events] == [1, 2]
    assert bench.added == [1, 1]


async def test_changes_that_came_together_are_taken_in_together() -> None:
    """Several changes are announced once, and a reader that waits for the last one has all."""
    bench = Bench()
    await bench.service.take_in_all([(change(1), delivery()), (change(2), delivery())])

    page = await bench.read(ReadFeed(min_revision=2, epoch="e1"))
    assert [event.seq for event in page.events] == [1, 2]
    assert bench.added == [2]


async def test_a_redelivered_change_adds_nothing() -> None:
    """The second copy of a change is settled without a second event."""
    bench = Bench()
    await bench.take_in(change(1), change(1))

    assert len(bench.feed.events) == 1


@pytest.mark.parametrize("kind", [errdefs.ResourceExhausted, errdefs.Unavailable])
async def test_a_change_that_finds_no_room_stays_with_the_bus(kind: type[errdefs.Error]) -> None:
    """A full or broken disk is told as Unavailable, which the bus tries for ever."""
    bench = Bench()
    bench.feed.error = kind("the disk is full")
    with pytest.raises(errdefs.Unavailable, match="the disk is full"):
        await bench.take_in(change(1))
    assert bench.added == []

    bench.feed.error = None
    await bench.take_in(change(1))
    assert len(bench.feed.events) == 1


async def test_reading_waits_for_the_revision_asked_for() -> None:
    """A reader gets its page as soon as the feed has reached its revision, and not before."""
    bench = Bench()
    await bench.take_in(change(1))
    reading = asyncio.create_task(bench.read(ReadFeed(min_revision=3, epoch="e1")))
    await bench.take_in(change(2))
    await turns()
    assert not reading.done()
    await bench.take_in(change(3))

    assert len((await reading).events) == 3


async def test_all_who_wait_are_woken() -> None:
    """One change answers every reader that waited for it."""
    bench = Bench()
    query = ReadFeed(min_revision=1, epoch="e1")
    readings = [asyncio.create_task(bench.read(query)) for _ in range(20)]
    await turns()
    await bench.take_in(change(1))

    assert [len((await reading).events) for reading in readings] == [1] * 20


async def test_a_new_epoch_is_waited_for() -> None:
    """A revision of an epoch that never appeared isn't taken for one of the epoch before."""
    bench = Bench(FeedPosition(source="store", epoch="e1", revision=500))
    reading = asyncio.create_task(bench.read(ReadFeed(min_revision=1, epoch="e2")))
    await turns()
    assert not reading.done()
    await bench.take_in(change(1, epoch="e2"))

    assert (await reading).events[0].epoch == "e2"


async def test_an_epoch_that_ended_is_not_waited_for() -> None:
    """Changes come in order: after the first of a newer epoch no more of an older one come."""
    bench = Bench(
        FeedPosition(source="store", epoch="e1", revision=5),
        FeedPosition(source="store", epoch="e2", revision=1),
    )

    assert (await bench.read(ReadFeed(min_revision=9, epoch="e1"))).events == ()


async def test_without_an_epoch_the_newest_counts() -> None:
    """A query that names no epoch waits for the revision in the one that is current."""
    bench = Bench(
        FeedPosition(source="store", epoch="e1", revision=500),
        FeedPosition(source="store", epoch="e2", revision=3),
    )

    await bench.read(ReadFeed(min_revision=3))
    with pytest.raises(errdefs.DeadlineExceeded):
        await bench.read(ReadFeed(min_revision=4), patience_s=0.1)


async def test_each_source_has_epochs_of_its_own() -> None:
    """A reader waits for what each service had come to, whichever was heard last."""
    bench = Bench(
        FeedPosition(source="store", epoch="e1", revision=5),
        FeedPosition(source="volume", epoch="v1", revision=2),
    )
    wanted = FeedPosition(source="volume", epoch="v1", revision=3)
    query = ReadFeed(reached=(FeedPosition(source="store", epoch="e1", revision=6), wanted))
    reading = asyncio.create_task(bench.read(query))
    await bench.take_in(change(6))
    await turns()
    assert not reading.done()

    fact = Fact(type="volume", action="create", actor_id="v", time_ns=1)
    await bench.take_in(VolumesChanged(epoch="v1", revision=3, facts=(fact,)))

    newest = (await reading).events[-1]
    assert (newest.type, newest.epoch, newest.revision) == ("volume", "v1", 3)


async def test_a_reader_in_no_hurry_for_a_revision_is_answered_at_once() -> None:
    """Without a revision the page is what there is, whatever the epoch and the deadline."""
    bench = Bench()

    assert (await bench.read(ReadFeed(epoch="e9"), patience_s=0.0)).events == ()
    assert (await bench.service.read_feed(ReadFeed(), delivery(deadline_ns=None))).events == ()


async def test_the_deadline_tells_how_far_the_feed_has_got() -> None:
    """A reader whose time runs out is told what the feed has and what it lacks, in time."""
    bench = Bench(FeedPosition(source="store", epoch="e0", revision=900))
    await bench.take_in(change(1), change(2))
    begun = time.monotonic()

    with pytest.raises(errdefs.DeadlineExceeded) as raised:
        await bench.read(ReadFeed(min_revision=7, epoch="e1"), patience_s=0.3)
    assert time.monotonic() - begun < 0.3
    assert "revision 7 of epoch e1" in raised.value.message
    assert "taken in revision 2 of epoch e1" in raised.value.message


async def test_an_empty_feed_says_so_at_the_deadline() -> None:
    """Before the first change there is no position to tell."""
    with pytest.raises(errdefs.DeadlineExceeded, match="taken in no change yet"):
        await Bench().read(ReadFeed(min_revision=1, epoch="e1"), patience_s=0.06)


async def test_nobody_waits_for_a_query_without_a_deadline() -> None:
    """A delivery that nobody waits for doesn't hold a place among the readers."""
    bench = Bench()

    async with asyncio.timeout(5):
        with pytest.raises(errdefs.DeadlineExceeded):
            await bench.service.read_feed(
                ReadFeed(min_revision=1, epoch="e1"), delivery(deadline_ns=None)
            )


async def test_trimming_runs_at_the_start_and_after_every_few_hundred_events() -> None:
    """Each round deletes batch after batch until none is left, with the limits given."""
    feed = FakeFeed()
    feed.old = [30, 1000]
    retention = Retention(feed=feed, clock=lambda: 50, keep=256, keep_for_ns=10)
    running = asyncio.create_task(retention.run())
    await turns()
    assert len(feed.trims) == 3
    retention.added(255)
    await turns()
    assert feed.trims == [(256, 40)] * 3
    retention.added(1)
    await turns()
    assert len(feed.trims) == 4
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_trimming_goes_on_after_a_failure() -> None:
    """A disk that fails once doesn't end the trimming."""
    feed = FakeFeed()
    feed.error = errdefs.Unavailable("the disk is away")
    retention = Retention(feed=feed, clock=lambda: 50, keep=256, keep_for_ns=10)
    running = asyncio.create_task(retention.run())
    await turns()
    assert len(feed.trims) == 1
    feed.error, feed.old = None, [7]
    retention.added(256)
    await turns()
    assert len(feed.trims) == 3
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
