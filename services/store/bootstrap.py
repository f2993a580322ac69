"""Puts the store together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from services.store.adapters.content import DiskContent
from services.store.adapters.folders import DiskFolders
from services.store.adapters.records import MIGRATIONS, SqliteRecords
from services.store.config import StoreConfig
from services.store.domain.operation import Kind
from services.store.domain.restart import RestartPolicy
from services.store.entrypoints.bus import Handlers
from services.store.service.containers import Containers
from services.store.service.creation import Creation
from services.store.service.garbage import Garbage
from services.store.service.gate import Gate
from services.store.service.inventory import PluginInventory
from services.store.service.lanes import Lanes
from services.store.service.lifecycle import Lifecycle
from services.store.service.node import Node
from services.store.service.recovery import Recovery
from services.store.service.removal import Removal
from services.store.service.settings import SettingsChange
from services.store.service.supervisor import Supervisor
from services.store.service.tasks import Tasks
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.health import Check
from shared.node.lock import ServiceLock
from shared.sqlite import Database
from shared.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What must be opened, started and closed."""

    inventory: PluginInventory
    folders: DiskFolders
    content: DiskContent
    garbage: Garbage
    recovery: Recovery
    supervisor: Supervisor
    lifecycle: Lifecycle
    removal: Removal
    handlers: Handlers
    background: Tasks


async def serve(config: StoreConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run the store until *stop* is set."""
    # A second lock, in the data root: two nodes with different exec roots may share it by mistake.
    root_lock = ServiceLock(config.node.root / "store" / "store.lock")
    root_lock.acquire()
    database = Database(config.database, MIGRATIONS)
    await database.open()
    try:
        await _serve(config, bus, SqliteRecords(database, time.time_ns), stop)
    finally:
        await database.close()
        root_lock.release()


async def _serve(
    config: StoreConfig, bus: RedisBus, records: SqliteRecords, stop: asyncio.Event
) -> None:
    epoch = (await records.load()).epoch
    relay = Relay(
        bus=bus,
        epoch=epoch,
        read_after=records.published_after,
        last_number=records.last_revision,
    )
    parts = build(config, bus, records, relay)
    parts.content.make_folders()
    parts.folders.make_folders()
    operations = await parts.inventory.load()
    parts.content.clear_ingest()
    await parts.folders.sweep({plugin.plugin_id for plugin in parts.inventory.all()})
    await parts.recovery.resume_all(operations)
    bus.serve(parts.handlers.commands(), checks=lambda: _checks(records), version=VERSION)
    bus.subscribe("executor", parts.handlers.facts_of_executor())
    bus.on_reconnect(parts.supervisor.reconnected)
    await bus.open()
    relaying = asyncio.create_task(relay.run())
    parts.supervisor.compare_soon()
    parts.background.ensure("garbage", parts.garbage.collect())
    await stop.wait()
    await bus.close()
    relaying.cancel()
    await asyncio.wait([relaying])
    await _close(parts)


async def _close(parts: Parts) -> None:
    await parts.background.cancel_all()
    await parts.recovery.close()
    await parts.supervisor.close()
    await parts.folders.close()


async def _checks(records: SqliteRecords) -> tuple[Check, ...]:
    await records.last_revision()
    return (Check(name="database", ok=True),)


def build(config: StoreConfig, bus: RedisBus, records: SqliteRecords, relay: Relay) -> Parts:
    """Construct everything; nothing is opened or started."""
    clock = time.time_ns
    content = DiskContent(config.node.root / "content")
    folders = DiskFolders(config.node.root, content)
    inventory = PluginInventory(records, committed=relay.wake)
    lanes = Lanes(clock)
    containers = Containers(
        sender=bus,
        folders=folders,
        ready_timeout_s=config.ready_timeout_s,
        stop_grace_s=config.stop_grace_s,
    )
    supervisor = Supervisor(
        inventory=inventory,
        lanes=lanes,
        containers=containers,
        clock=clock,
        policy=RestartPolicy(),
    )
    recovery = Recovery(lanes)
    garbage = Garbage(inventory, content)
    background = Tasks()
    lifecycle = Lifecycle(
        inventory=inventory,
        lanes=lanes,
        containers=containers,
        supervisor=supervisor,
        recovery=recovery,
        clock=clock,
    )
    removal = Removal(
        inventory=inventory,
        lanes=lanes,
        containers=containers,
        folders=folders,
        supervisor=supervisor,
        lifecycle=lifecycle,
        clock=clock,
        collect_soon=lambda: background.ensure("garbage", garbage.collect()),
    )
    recovery.finish_with(
        {
            Kind.ENABLE: lifecycle.undo_enable,
            Kind.RESTART: lifecycle.undo_restart,
            Kind.DISABLE: lifecycle.finish_disable,
            Kind.REMOVE: removal.finish_remove,
        }
    )
    gate = Gate(inventory)
    handlers = Handlers(
        gate=gate,
        creation=Creation(
            inventory=inventory,
            lanes=lanes,
            folders=folders,
            content=content,
            garbage=garbage,
            clock=clock,
        ),
        lifecycle=lifecycle,
        removal=removal,
        settings=SettingsChange(inventory=inventory, lanes=lanes, clock=clock),
        node=Node(
            inventory=inventory,
            lanes=lanes,
            containers=containers,
            supervisor=supervisor,
            gate=gate,
        ),
        supervisor=supervisor,
    )
    return Parts(
        inventory=inventory,
        folders=folders,
        content=content,
        garbage=garbage,
        recovery=recovery,
        supervisor=supervisor,
        lifecycle=lifecycle,
        removal=removal,
        handlers=handlers,
        background=background,
    )
