"""The feed in its database: numbers, copies, holes, pages, retention, a full disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.event.adapters.feed_db import MIGRATIONS, FeedDb
from services.event.domain.feed import PluginTold
from shared import errdefs
from shared.contracts.event import FeedEvent, FeedFilter, FeedPage, FeedPosition, ReadFeed
from shared.contracts.store import Fact
from shared.sqlite import Database
from tests.support.small_disk import small_disk


@asynccontextmanager
async def feed_at(folder: Path, **options: int) -> AsyncIterator[FeedDb]:
    database = Database(folder / "event" / "event.db", MIGRATIONS)
    await database.open()
    try:
        yield FeedDb(database, node="n1", **options)
    finally:
        await database.close()


@pytest.fixture
async def feed(tmp_path: Path) -> AsyncIterator[FeedDb]:
    """Give the test an empty feed."""
    async with feed_at(tmp_path) as opened:
        yield opened


def change(revision: int, *actions: str, epoch: str = "e1", time_ns: int = 0) -> PluginTold:
    """Make a change whose facts happened at *time_ns* (0: when the revision's number says)."""
    facts = tuple(
        Fact(
            action=action,
            actor_id="p1",
            attributes={"name": "sshfs:latest"},
            time_ns=time_ns or revision,
        )
        for action in actions
    )
    return PluginTold(epoch=epoch, revision=revision, facts=facts)


def action(body: bytes) -> str:
    return FeedEvent.model_validate_json(body).action


async def take_in(feed: FeedDb, *changes: PluginTold) -> list[FeedEvent]:
    """Take changes in at time 1000 and return the events that are new."""
    return [event for one in changes for event in await feed.take_in([one], now_ns=1000)]


async def fill(feed: FeedDb, count: int, *, action: str = "enable") -> None:
    """Take in *count* events, a thousand a change."""
    await take_in(feed, change(1, *[action] * count))


async def read_all(feed: FeedDb, query: ReadFeed) -> list[FeedPage]:
    """Read page after page as a client does."""
    pages = [await feed.page(query)]
    while pages[-1].more:
        pages.append(await feed.page(query.model_copy(update={"after_seq": pages[-1].next_seq})))
    return pages


async def probe_often(feed: FeedDb) -> None:
    """Probe until the room that the journal has in its last block is used up."""
    for _ in range(10):
        await feed.probe()


def seqs(pages: list[FeedPage]) -> list[int]:
    return [event.seq for page in pages for event in page.events]


async def test_numbers_are_dense_and_in_order(feed: FeedDb) -> None:
    """Each fact has the next number, across changes and epochs."""
    events = await take_in(
        feed, change(1, "create"), change(2, "enable", "disable"), change(1, "create", epoch="e2")
    )

    page = await feed.page(ReadFeed())
    assert list(page.events) == events
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [event.action for event in events] == ["create", "enable", "disable", "create"]
    assert [event.epoch for event in events] == ["e1", "e1", "e1", "e2"]
    assert (page.oldest_seq, page.last_seq, page.more) == (1, 4, False)


async def test_copies_add_nothing(feed: FeedDb) -> None:
    """A whole stream that is delivered once more leaves the feed as it is."""
    changes = [change(1, "create"), change(2), change(3, "enable", "disable")]
    await take_in(feed, *changes)

    assert await take_in(feed, *changes, changes[0], changes[2]) == []
    assert await feed.last_seq() == 3


async def test_a_change_without_facts_moves_the_position(feed: FeedDb) -> None:
    """The position is kept for each epoch, newest last, even when there was nothing to tell."""
    assert await feed.positions() == ()
    await take_in(feed, change(1, epoch="z"), change(1, "create", epoch="a"), change(2, epoch="a"))

    assert await feed.positions() == (
        FeedPosition(source="store", epoch="z", revision=1),
        FeedPosition(source="store", epoch="a", revision=2),
    )
    assert await feed.last_seq() == 1


async def test_a_hole_is_told_once(feed: FeedDb) -> None:
    """Revisions that were skipped become one event; a copy of the change adds none."""
    late = change(5, "enable")
    events = await take_in(feed, change(1, "create"), late, late)

    assert [event.action for event in events] == ["create", "events-lost", "enable"]
    assert events[1].attributes == {"name": "n1", "from": "2", "to": "4"}
    assert events[1].time_ns == 1000


async def test_a_restart_keeps_all(tmp_path: Path) -> None:
    """Events, position and the feed's own epoch are found again; numbers go on."""
    async with feed_at(tmp_path) as feed:
        await take_in(feed, change(1, "create"))
        epoch = await feed.epoch()

    async with feed_at(tmp_path) as feed:
        assert await feed.epoch() == epoch
        assert await feed.positions() == (FeedPosition(source="store", epoch="e1", revision=1),)
        (event,) = await take_in(feed, change(1, "create"), change(2, "enable"))
        assert event.seq == 2


async def test_another_file_is_another_feed(tmp_path: Path) -> None:
    """A feed that begins anew has an epoch of its own, for its numbers begin anew."""
    async with feed_at(tmp_path / "a") as one, feed_at(tmp_path / "b") as other:
        assert await one.epoch() != await other.epoch()


async def test_an_empty_feed_has_an_empty_page(feed: FeedDb) -> None:
    """Before the first event there is nothing to read, and reading goes on at 0."""
    assert await feed.page(ReadFeed()) == FeedPage(events=(), last_seq=0, next_seq=0)


async def test_what_is_published_is_read_in_pieces(feed: FeedDb) -> None:
    """The relay reads on from the number it has published."""
    await take_in(feed, change(1, "a", "b", "c"), change(2, "d"))

    assert [action(body) for _, body in await feed.after(1, 2)] == ["b", "c"]
    assert [action(body) for _, body in await feed.after(3, 2)] == ["d"]
    assert await feed.after(4, 2) == []


async def test_pages_join_without_loss_or_doubles(feed: FeedDb) -> None:
    """Whatever the size of a page, the pages together are the feed."""
    await fill(feed, 10)

    for limit in (1, 3, 5, 10, 11):
        pages = await read_all(feed, ReadFeed(limit=limit))
        assert seqs(pages) == list(range(1, 11))
        assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
        assert pages[-1].next_seq == 10
    assert seqs(await read_all(feed, ReadFeed(after_seq=8))) == [9, 10]
    assert seqs(await read_all(feed, ReadFeed(after_seq=10))) == []


@pytest.mark.parametrize(
    ("since_ns", "until_ns", "expected"),
    [
        (None, None, [1, 2, 3, 4]),
        (20, None, [2, 3, 4]),
        (21, None, [3, 4]),
        (None, 30, [1, 2, 3]),
        (None, 29, [1, 2]),
        (20, 20, [2]),
        (31, 39, []),
        (10**30, None, []),
        (-(10**30), 10**30, [1, 2, 3, 4]),
    ],
)
async def test_times_are_inclusive(
    feed: FeedDb, since_ns: int | None, until_ns: int | None, expected: list[int]
) -> None:
    """An event at the very nanosecond of since or until is in; any number may be asked for."""
    await take_in(feed, *[change(n, "enable", time_ns=n * 10) for n in range(1, 5)])
    query = ReadFeed(since_ns=since_ns, until_ns=until_ns)

    page = await feed.page(query)
    assert [event.seq for event in page.events] == expected
    # A live reader goes on behind what the times left out.
    assert (page.last_seq, page.next_seq) == (4, 4)


async def test_the_filter_is_applied(feed: FeedDb) -> None:
    """Only what passes the filter is in the pages, and all of it."""
    await take_in(feed, change(1, *["enable", "disable"] * 5))
    query = ReadFeed(filter=FeedFilter(terms={"event": ("disable",)}), limit=2)

    assert seqs(await read_all(feed, query)) == [2, 4, 6, 8, 10]


async def test_a_filter_that_few_pass_gives_many_short_pages(tmp_path: Path) -> None:
    """One page looks at a bounded number of events; the reader is told to go on."""
    async with feed_at(tmp_path, page_scan=3) as feed:
        await take_in(feed, change(1, *["enable"] * 7, "disable"))
        pages = await read_all(feed, ReadFeed(filter=FeedFilter(terms={"event": ("disable",)})))

    assert [[event.seq for event in page.events] for page in pages] == [[], [], [8]]
    assert [page.next_seq for page in pages] == [3, 6, 8]


async def test_trimming_spares_the_newest(feed: FeedDb) -> None:
    """The newest *keep* stay however old they are; numbers go on behind them."""
    await fill(feed, 300)
    while await feed.trim(keep=256, before_ns=10**9):
        pass

    page = await feed.page(ReadFeed(limit=1))
    assert (page.oldest_seq, page.last_seq) == (45, 300)
    assert [event.seq for event in await take_in(feed, change(2, "enable"))] == [301]


async def test_trimming_spares_the_young(feed: FeedDb) -> None:
    """All from the first event that isn't too old stays, even beyond the number kept."""
    times = [10, 20, 99, 30, 40]
    await take_in(feed, *[change(n, "enable", time_ns=t) for n, t in enumerate(times, 1)])

    assert await feed.trim(keep=1, before_ns=21) == 2
    assert await feed.trim(keep=1, before_ns=50) == 0
    assert await feed.trim(keep=1, before_ns=99) == 0
    assert await feed.trim(keep=1, before_ns=100) == 2
    assert seqs([await feed.page(ReadFeed())]) == [5]


async def test_trimming_takes_a_batch_at_a_time(feed: FeedDb) -> None:
    """No transaction deletes more than a thousand."""
    await fill(feed, 2500)

    batches = [await feed.trim(keep=100, before_ns=10**9) for _ in range(4)]
    assert batches == [1000, 1000, 400, 0]


async def test_trimming_an_empty_feed_deletes_nothing(feed: FeedDb) -> None:
    """An empty feed has nothing to delete."""
    assert await feed.trim(keep=256, before_ns=10**9) == 0


async def test_a_trimmed_event_does_not_come_back(feed: FeedDb) -> None:
    """A copy of a change whose events were deleted is still known for a copy."""
    changes = [change(n, "enable") for n in range(1, 6)]
    await take_in(feed, *changes)
    assert await feed.trim(keep=1, before_ns=10**9) == 4

    assert await take_in(feed, *changes) == []


@pytest.mark.root
async def test_a_full_disk_loses_nothing() -> None:
    """A change that found no room was not taken in, and is, once, when it comes again."""
    with small_disk() as disk:
        async with feed_at(disk.path) as feed:
            await take_in(feed, change(1, "create"))
            disk.fill()
            big = change(2, *["enable"] * 2000)
            with pytest.raises(errdefs.ResourceExhausted):
                await take_in(feed, big)
            assert await feed.positions() == (FeedPosition(source="store", epoch="e1", revision=1),)
            assert await feed.last_seq() == 1
            disk.clear()

            assert len(await take_in(feed, big, big)) == 2000


@pytest.mark.root
async def test_a_full_disk_is_seen_by_the_probe() -> None:
    """The probe writes: it fails on a full disk and succeeds when there is room again."""
    with small_disk() as disk:
        async with feed_at(disk.path) as feed:
            await feed.probe()
            disk.fill()
            with pytest.raises(errdefs.ResourceExhausted):
                await probe_often(feed)
            disk.clear()
            await feed.probe()
