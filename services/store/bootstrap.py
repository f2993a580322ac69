"""Puts the store on its adapters and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from prometheus_client import REGISTRY

from services.store.adapters.boot import BootFile
from services.store.adapters.content import DiskContent
from services.store.adapters.folders import DiskFolders
from services.store.adapters.job_feed import BusJobFeed
from services.store.adapters.records import MIGRATIONS, SqliteRecords
from services.store.adapters.registrations import SqliteRegistrations
from services.store.adapters.secrets import SqliteSecrets
from services.store.config import StoreConfig
from services.store.entrypoints import bus as messages
from services.store.entrypoints.metrics import InventoryMetrics
from services.store.service.inventory import PluginInventory
from services.store.service.store import Store, Times
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.health import Check
from shared.idempotency.once import Once
from shared.idempotency.outcomes import SqliteOutcomes
from shared.jobs.queue import JobQueue
from shared.node.database import owned_database
from shared.sqlite import Database
from shared.version import VERSION

#: Services that subscribe to the changes: none of these leaves the stream before they settled it.
READERS: Final = ("event", "volume")


async def serve(config: StoreConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run the store until *stop* is set."""
    async with owned_database(config.database, MIGRATIONS) as database:
        await _serve(config, bus, database, stop)


async def _serve(
    config: StoreConfig, bus: RedisBus, database: Database, stop: asyncio.Event
) -> None:
    records = SqliteRecords(database, time.time_ns)
    content = DiskContent(config.node.root / "content", config.node.root / "work")
    folders = DiskFolders(config.node.root, content)
    content.make_folders()
    content.clear_ingest()
    folders.make_folders()
    relay = await _relay(bus, records)
    queue = JobQueue(redis_url=config.node.redis_url, node=config.node.name)
    inventory = PluginInventory(records, committed=relay.wake)
    REGISTRY.register(InventoryMetrics(inventory))
    store = build(config, bus, folders, content, inventory, database, queue)
    once = Once(SqliteOutcomes(database, time.time_ns), time.time_ns)
    bus.serve(once.all(messages.commands(store)), checks=lambda: _checks(records), version=VERSION)
    bus.subscribe("executor", messages.facts_of_executor(store))
    bus.on_reconnect(store.reconnected)
    await store.start()
    await bus.open()
    relaying = asyncio.create_task(relay.run())
    await stop.wait()
    await bus.close()
    relaying.cancel()
    await asyncio.wait([relaying])
    await store.close()
    await queue.close()
    await folders.close()


def build(
    config: StoreConfig,
    bus: RedisBus,
    folders: DiskFolders,
    content: DiskContent,
    inventory: PluginInventory,
    database: Database,
    queue: JobQueue,
) -> Store:
    """Construct the store; nothing is opened or started."""
    return Store(
        inventory=inventory,
        sender=bus,
        folders=folders,
        boot=BootFile(path=config.node.root / "store" / "boot"),
        content=content,
        registrations=SqliteRegistrations(database),
        secrets=SqliteSecrets(database),
        queue=queue,
        feed=BusJobFeed(bus),
        clock=time.time_ns,
        times=Times(
            ready_timeout_s=config.ready_timeout_s,
            stop_grace_s=config.stop_grace_s,
            shutdown_timeout_s=config.shutdown_timeout_s,
            requires_timeout_s=config.requires_timeout_s,
        ),
        seccomp=config.seccomp,
        no_new_privileges=config.no_new_privileges,
    )


async def _relay(bus: RedisBus, records: SqliteRecords) -> Relay:
    return Relay(
        bus=bus,
        epoch=(await records.load()).epoch,
        read_after=records.published_after,
        last_number=records.last_revision,
        readers=READERS,
    )


async def _checks(records: SqliteRecords) -> tuple[Check, ...]:
    await records.last_revision()
    return (Check(name="database", ok=True),)
