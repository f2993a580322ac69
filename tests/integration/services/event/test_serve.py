"""The whole event service on a real Redis, behind a store that is an outbox and nothing else."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.event.bootstrap import serve
from services.event.config import EventConfig
from shared import errdefs
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.bus.tail import Gap
from shared.contracts.event import EventPublished, FeedFilter, FeedPage, ReadFeed
from shared.contracts.health import CheckHealth, ServiceHealth
from shared.contracts.message import Message
from shared.contracts.store import Fact, PluginChanged
from shared.node.config import NodeConfig
from tests.support.redis import RedisServer
from tests.support.small_disk import small_disk

LIMIT_S = 20.0


class Store:
    """An outbox in memory with its relay."""

    def __init__(self, bus: RedisBus, epoch: str) -> None:
        self.epoch = epoch
        self.outbox: list[tuple[int, Message]] = []
        self.relay = Relay(
            bus=bus, epoch=epoch, read_after=self._read_after, last_number=self._last_number
        )

    def change(self, *actions: str, skip: int = 0) -> int:
        """Commit a change with a fact an action, leaving out *skip* revisions; return its own."""
        revision = (self.outbox[-1][0] if self.outbox else 0) + 1 + skip
        facts = tuple(
            Fact(
                action=action,
                actor_id="p1",
                attributes={"name": "sshfs:latest"},
                time_ns=revision * 10,
            )
            for action in actions
        )
        change = PluginChanged(
            epoch=self.epoch, revision=revision, plugin_id="p1", plugin=None, facts=facts
        )
        self.outbox.append((revision, change))
        self.relay.wake()
        return revision

    async def _read_after(self, after: int, limit: int) -> Sequence[tuple[int, Message]]:
        return [row for row in self.outbox if row[0] > after][:limit]

    async def _last_number(self) -> int:
        return self.outbox[-1][0] if self.outbox else 0


@asynccontextmanager
async def store_on(url: str, epoch: str = "e1") -> AsyncIterator[Store]:
    bus = RedisBus(url=url, node="n1", service="store")
    store = Store(bus, epoch)
    await bus.open()
    relaying = asyncio.create_task(store.relay.run())
    try:
        yield store
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await bus.close()


@asynccontextmanager
async def event_service(url: str, root: Path, *, events_keep: int = 10_000) -> AsyncIterator[None]:
    """Run the service as its process does, from its configuration to its stop."""
    # Short, as AF_UNIX wants it; pytest's tmp_path may be longer.
    with tempfile.TemporaryDirectory(prefix="we-") as exec_root:
        node = NodeConfig.from_env(
            {
                "WHERRY_NODE": "n1",
                "WHERRY_ROOT": str(root),
                "WHERRY_EXEC_ROOT": exec_root,
                "WHERRY_REDIS_URL": url,
            }
        )
        config = EventConfig(node=node, events_keep=events_keep, audit_keep=1000)
        stop = asyncio.Event()
        bus = RedisBus(url=url, node="n1", service="event")
        serving = asyncio.create_task(serve(config, bus, stop))
        try:
            yield
        finally:
            stop.set()
            await serving


@pytest.fixture
async def reader(redis_server: RedisServer) -> AsyncIterator[RedisBus]:
    """Give the test a bus end that reads, as the gateway's does."""
    bus = RedisBus(url=redis_server.url, node="n1", service="gateway")
    await bus.open()
    yield bus
    await bus.close()


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    """Give the test a store."""
    async with store_on(redis_server.url) as opened:
        yield opened


async def read(reader: RedisBus, query: ReadFeed, *, timeout_s: float = LIMIT_S) -> FeedPage:
    """Read a page; a bus that Redis has just left or lost is tried until the deadline."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await reader.send(query, timeout_s=timeout_s)
            except errdefs.Unavailable:
                await asyncio.sleep(0.05)


async def events_at(reader: RedisBus, store: Store, revision: int) -> list[str]:
    """Return the actions in the feed once it has reached a revision; numbers must be dense."""
    page = await read(reader, ReadFeed(min_revision=revision, epoch=store.epoch))
    assert [event.seq for event in page.events] == list(
        range(page.oldest_seq, page.oldest_seq + len(page.events))
    )
    return [event.action for event in page.events]


async def published(reader: RedisBus, count: int) -> list[tuple[str, list[int]]]:
    """Return the messages that bring a live reader its first *count* events: id and numbers."""
    found: list[tuple[str, list[int]]] = []
    async with asyncio.timeout(LIMIT_S):
        async for item in reader.tail("event"):
            if isinstance(item, Gap):
                found.clear()
                continue
            envelope, arrival = item
            events = envelope.read(EventPublished).events
            found.append((arrival.stream_id, [event.seq for event in events]))
            if sum(len(seqs) for _, seqs in found) >= count:
                break
    return found


async def refusal(reader: RedisBus, revision: int, *, timeout_s: float) -> str:
    """Return why the feed has not reached a revision; the first answer may come too late."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await read(reader, ReadFeed(min_revision=revision, epoch="e1"), timeout_s=timeout_s)
            except errdefs.DeadlineExceeded as error:
                if "revision" in error.message:
                    return error.message


async def ill_health(reader: RedisBus) -> ServiceHealth:
    """Return the first bad report: the journal may have room for some probes in its last block."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            health = await reader.send(CheckHealth(), timeout_s=LIMIT_S, owner="event")
            if not health.healthy:
                return health


async def live(reader: RedisBus, count: int) -> list[int]:
    """Return the numbers of the first *count* events that a live reader gets."""
    return [seq for _, seqs in await published(reader, count) for seq in seqs]


async def test_facts_become_events_in_order(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """What the store committed before and after the start is read back, in order and filtered."""
    store.change("create")
    async with event_service(redis_server.url, tmp_path):
        store.change()
        last = store.change("enable", "disable")

        assert await events_at(reader, store, last) == ["create", "enable", "disable"]
        page = await read(
            reader, ReadFeed(filter=FeedFilter(terms={"event": ("enable", "create")}), limit=1)
        )
        assert [event.action for event in page.events] == ["create"]
        assert page.more


async def test_events_are_published_under_their_number(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """A live reader gets each event once; the stream id is the number to go on from."""
    async with event_service(redis_server.url, tmp_path):
        store.change("create")
        store.change("enable", "disable")

        assert await live(reader, 3) == [1, 2, 3]


async def test_events_that_wait_together_are_published_together(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """A message bears a bounded number of events, and its id is the number of the last."""
    async with event_service(redis_server.url, tmp_path):
        store.change(*["enable"] * 40)

        assert await published(reader, 40) == [
            ("32-0", list(range(1, 33))),
            ("40-0", list(range(33, 41))),
        ]


async def test_a_reader_waits_for_the_revision_it_needs(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """A reader that asks for a revision to come gets it as soon as it is taken in."""
    async with event_service(redis_server.url, tmp_path):
        waiting = asyncio.create_task(read(reader, ReadFeed(min_revision=2, epoch="e1")))
        assert await events_at(reader, store, store.change("create")) == ["create"]
        assert not waiting.done()
        store.change("enable")

        assert [event.action for event in (await waiting).events] == ["create", "enable"]


async def test_a_reader_is_told_how_far_the_feed_has_got(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """A reader whose time runs out gets the service's answer, not the bus's silence."""
    async with event_service(redis_server.url, tmp_path):
        await events_at(reader, store, store.change("create"))

        with pytest.raises(errdefs.DeadlineExceeded, match="taken in revision 1 of epoch e1"):
            await read(reader, ReadFeed(min_revision=5, epoch="e1"), timeout_s=1.0)


async def test_a_restart_takes_up_where_it_was(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """What was committed while the service was away is there when it is back, once."""
    async with event_service(redis_server.url, tmp_path):
        await events_at(reader, store, store.change("create"))
    last = store.change("enable")

    async with event_service(redis_server.url, tmp_path):
        assert await events_at(reader, store, last) == ["create", "enable"]
        assert await live(reader, 2) == [1, 2]


async def test_a_wiped_redis_is_refilled_without_doubles(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """After FLUSHALL all changes come once more; the feed and its stream hold each event once."""
    async with event_service(redis_server.url, tmp_path):
        store.change("create")
        await events_at(reader, store, store.change("enable"))
        redis_server.flushall()
        last = store.change("disable")

        assert await events_at(reader, store, last) == ["create", "enable", "disable"]
        assert await live(reader, 3) == [1, 2, 3]


async def test_a_killed_redis_costs_nothing(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """Changes that are committed while Redis is away arrive when it is back."""
    async with event_service(redis_server.url, tmp_path):
        await events_at(reader, store, store.change("create"))
        await asyncio.to_thread(redis_server.kill)
        last = store.change("enable")
        await asyncio.to_thread(redis_server.start)

        assert await events_at(reader, store, last) == ["create", "enable"]


async def test_lost_revisions_are_told(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """Rows that the store no longer had are named by an event, and the feed goes on."""
    async with event_service(redis_server.url, tmp_path):
        store.change("create")
        last = store.change("enable", skip=3)

        assert await events_at(reader, store, last) == ["create", "events-lost", "enable"]


async def test_a_store_that_begins_anew_goes_on_in_the_same_feed(
    redis_server: RedisServer, tmp_path: Path, reader: RedisBus
) -> None:
    """A new epoch counts its revisions from 1; the feed's numbers go on."""
    async with event_service(redis_server.url, tmp_path):
        async with store_on(redis_server.url, "e1") as store:
            store.change("create")
            await events_at(reader, store, store.change("enable"))
        async with store_on(redis_server.url, "e2") as store:
            assert await events_at(reader, store, store.change("create")) == [
                "create",
                "enable",
                "create",
            ]


async def test_the_oldest_are_deleted_in_the_background(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """Beyond the number kept, what is older than a week goes; readers see the oldest number."""
    async with event_service(redis_server.url, tmp_path, events_keep=256):
        for _ in range(6):
            last = store.change(*["enable"] * 100)
        await events_at(reader, store, last)

        page = await read(reader, ReadFeed(limit=1))
        async with asyncio.timeout(LIMIT_S):
            while page.oldest_seq == 1:
                page = await read(reader, ReadFeed(limit=1))
        assert page.last_seq == 600
        assert page.last_seq - page.oldest_seq + 1 >= 256


async def test_health_tells_database_and_position(
    redis_server: RedisServer, tmp_path: Path, store: Store, reader: RedisBus
) -> None:
    """The service reports that it can write, and how far it has got."""
    async with event_service(redis_server.url, tmp_path):
        await events_at(reader, store, store.change("create"))
        health = await reader.send(CheckHealth(), timeout_s=LIMIT_S, owner="event")

        assert health.healthy
        assert [(check.name, check.ok) for check in health.checks] == [
            ("database", True),
            ("position", True),
        ]
        assert health.checks[1].message == "revision 1 of epoch e1 (store)"


@pytest.mark.root
async def test_a_full_disk_delays_and_loses_nothing(
    redis_server: RedisServer, store: Store, reader: RedisBus
) -> None:
    """While the disk is full changes wait in the bus and health says why; then all are taken in."""
    with small_disk() as disk:
        async with event_service(redis_server.url, disk.path):
            await events_at(reader, store, store.change("create"))
            disk.fill()
            last = store.change(*["enable"] * 500)
            last = store.change("disable")
            # Long enough for more tries than the bus grants to what merely fails.
            assert "taken in revision 1" in await refusal(reader, last, timeout_s=4.0)
            health = await ill_health(reader)
            assert "is full" in health.checks[0].message
            disk.clear()

            assert await events_at(reader, store, last) == ["create", *["enable"] * 500, "disable"]
