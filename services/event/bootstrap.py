"""Puts the event service together, runs it until told to stop, takes it apart in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.event.adapters.audit_db import AuditDb
from services.event.adapters.collector import PluginCollector
from services.event.adapters.feed_db import MIGRATIONS, FeedDb
from services.event.config import EventConfig
from services.event.domain import collector
from services.event.domain.feed import has_facts
from services.event.entrypoints import bus as tables
from services.event.service.audit import AuditService
from services.event.service.collectors import Collectors
from services.event.service.feed import EventService, Reached, Retention
from services.event.service.origins import Origins
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay, Written
from shared.contracts.event import EventPublished, FeedEvent
from shared.metrics import endpoint
from shared.metrics.node import NodeMetrics
from shared.plugins.registrar import CapabilityHandler, Registrar
from shared.sqlite import Database
from shared.version import VERSION

#: All events of the last week are kept, and more when there were few.
_KEEP_FOR_NS = 7 * 24 * 3600 * 1_000_000_000
#: Nobody waits for the audit, nor for changes without events, and most requests make two of each
#: within it: one commit for both.
_LINGER_S = 0.2
#: Events that are published as one message, at most: while many are, they travel together.
_TOGETHER = 32
#: Messages that the stream keeps: who has missed more reads the feed.
_STREAM_LENGTH = 4_000


async def serve(config: EventConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run until *stop* is set; raises errdefs when the database cannot be opened."""
    database = Database(config.database, MIGRATIONS)
    try:
        await database.open()
        async with _showing_metrics(config.node.exec_root):
            audit = AuditService(audit=AuditDb(database, keep=config.audit_keep))
            await _serve(FeedDb(database, node=config.node.name), audit, config, bus, stop)
    finally:
        await database.close()


async def _serve(
    feed: FeedDb, audit: AuditService, config: EventConfig, bus: RedisBus, stop: asyncio.Event
) -> None:
    origins = Origins()

    async def read_after(seq: int, limit: int) -> Sequence[tuple[int, Written]]:
        events = await feed.after(seq, limit)
        firsts = range(0, len(events), _TOGETHER)
        return [_published(events[first : first + _TOGETHER], origins) for first in firsts]

    relay = Relay(
        bus=bus,
        epoch=await feed.epoch(),
        read_after=read_after,
        last_number=feed.last_seq,
        length=_STREAM_LENGTH,
        is_traced=True,
    )
    retention = Retention(
        feed=feed, clock=time.time_ns, keep=config.events_keep, keep_for_ns=_KEEP_FOR_NS
    )

    def added(events: Sequence[FeedEvent]) -> None:
        origins.note(events)
        relay.wake()
        retention.added(len(events))

    service = EventService(
        feed=feed, reached=Reached(await feed.positions()), clock=time.time_ns, added=added
    )
    registrar = _registrar(bus, config.node.exec_root)
    commands = {**tables.commands(service, audit), **registrar.commands()}
    bus.serve(commands, checks=service.checks, version=VERSION)
    for source, handlers in tables.facts(service).items():
        bus.subscribe(
            source, handlers, together=service.take_in_all, linger_s=_LINGER_S, tells=has_facts
        )
    # Each record is a line of its own, and lies in the trace of its request.
    bus.subscribe(
        "gateway",
        tables.audited(audit),
        together=audit.take_in_all,
        linger_s=_LINGER_S,
        tells=lambda _: False,
    )
    await bus.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            runs = (relay.run(), retention.run(), registrar.run())
            background = [tasks.create_task(run) for run in runs]
            await stop.wait()
            for task in background:
                task.cancel()
    finally:
        await bus.close()


def _published(events: Sequence[tuple[int, bytes]], origins: Origins) -> tuple[int, Written]:
    """Return the message of events that are JSON already, and its number: the last one's."""
    first, *later = (event for _, event in events)
    body = b'{"event":%b,"later":[%b]}' % (first, b",".join(later))
    last = events[-1][0]
    return last, Written(type=EventPublished.TYPE, body=body, traceparent=origins.of(last))


@asynccontextmanager
async def _showing_metrics(exec_root: Path) -> AsyncIterator[None]:
    """Show the node's metrics while the block runs; plugins of any user may read them."""
    metrics = NodeMetrics.of(exec_root)
    path = collector.socket_path(metrics.folder)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Who has no socket bound comes no further than here.
    metrics.folder.chmod(0o700)
    link = exec_root / path.name
    link.unlink(missing_ok=True)
    link.symlink_to(path.relative_to(exec_root))
    try:
        async with endpoint.on_unix_socket(path, metrics.render, mode=0o666):
            yield
    finally:
        link.unlink(missing_ok=True)


def _registrar(bus: RedisBus, exec_root: Path) -> Registrar:
    collectors = Collectors(collector=PluginCollector())
    handler = CapabilityHandler(
        key=collector.METRICS, started=collectors.started, stopping=collectors.stopping
    )
    option = collector.option(bus.service, NodeMetrics.of(exec_root).folder)
    return Registrar(sender=bus, service=bus.service, handlers=(handler,), options=(option,))
