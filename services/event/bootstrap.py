"""Puts the event service together, runs it until told to stop, takes it apart in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from services.event.adapters.feed_db import MIGRATIONS, FeedDb
from services.event.config import EventConfig
from services.event.entrypoints import bus as tables
from services.event.service import EventService, Reached, Retention
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.event import EventPublished
from shared.contracts.message import Message
from shared.sqlite import Database
from shared.version import VERSION

#: All events of the last week are kept, and more when there were few.
_KEEP_FOR_NS = 7 * 24 * 3600 * 1_000_000_000


async def serve(config: EventConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run until *stop* is set; raises errdefs when the database cannot be opened."""
    database = Database(config.database, MIGRATIONS)
    try:
        await database.open()
        await _serve(FeedDb(database, node=config.node.name), config, bus, stop)
    finally:
        await database.close()


async def _serve(feed: FeedDb, config: EventConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    async def read_after(seq: int, limit: int) -> Sequence[tuple[int, Message]]:
        return [(event.seq, EventPublished(event=event)) for event in await feed.after(seq, limit)]

    relay = Relay(
        bus=bus, epoch=await feed.epoch(), read_after=read_after, last_number=feed.last_seq
    )
    retention = Retention(
        feed=feed, clock=time.time_ns, keep=config.events_keep, keep_for_ns=_KEEP_FOR_NS
    )

    def added(count: int) -> None:
        relay.wake()
        retention.added(count)

    service = EventService(
        feed=feed, reached=Reached(await feed.positions()), clock=time.time_ns, added=added
    )
    bus.serve(tables.commands(service), checks=service.checks, version=VERSION)
    for source, handlers in tables.facts(service).items():
        bus.subscribe(source, handlers)
    await bus.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(relay.run()), tasks.create_task(retention.run())]
            await stop.wait()
            for task in background:
                task.cancel()
    finally:
        await bus.close()
