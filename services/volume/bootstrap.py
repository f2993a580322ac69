"""Puts the volume service on its adapters and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY

from services.volume.adapters.local_driver import LocalDriver
from services.volume.adapters.plugin_drivers import CallLimits, LatePluginDrivers
from services.volume.adapters.records import MIGRATIONS, SqliteRecords
from services.volume.config import VolumeConfig
from services.volume.entrypoints import bus as messages
from services.volume.entrypoints.metrics import VolumeMetrics
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from services.volume.service.service import VolumeService
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.health import Check
from shared.idempotency.once import Once
from shared.idempotency.outcomes import SqliteOutcomes
from shared.node.database import owned_database
from shared.sqlite import Database
from shared.version import VERSION

#: Commands at once: more than one hung plugin is let keep.
_CONCURRENCY = 256


#: Services that subscribe to the changes: none of these leaves the stream before they settled it.
READERS: Final = ("event",)


async def serve(config: VolumeConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run the service until *stop* is set."""
    async with owned_database(config.database, MIGRATIONS) as database:
        await _serve(config, bus, database, stop)


async def _serve(
    config: VolumeConfig, bus: RedisBus, database: Database, stop: asyncio.Event
) -> None:
    records = SqliteRecords(database, time.time_ns)
    local = LocalDriver(config.folder, mount_limit_s=config.create_timeout_s)
    local.open()
    plugins = LatePluginDrivers(
        sender=bus,
        folders=config.legacy,
        plugins=config.node.root / "plugins",
        limits=CallLimits(
            create_s=config.create_timeout_s,
            call_s=config.call_timeout_s,
            list_s=config.list_timeout_s,
        ),
    )
    relay = Relay(
        bus=bus,
        epoch=(await records.load()).position.epoch,
        read_after=records.published_after,
        last_number=records.last_revision,
        readers=READERS,
    )
    service = VolumeService(
        catalog=Catalog(records, committed=relay.wake),
        drivers=Drivers(local=local, plugins=plugins, list_timeout_s=config.list_timeout_s),
        sizes=local,
        sender=bus,
        clock=time.time_ns,
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    )
    REGISTRY.register(VolumeMetrics(service.catalog))
    once = Once(SqliteOutcomes(database, time.time_ns), time.time_ns)
    bus.serve(
        once.all(messages.commands(service)),
        concurrency=_CONCURRENCY,
        checks=lambda: _checks(records),
        version=VERSION,
    )
    # Whatever changes of plugins: what this service does about it is a command of its own.
    bus.subscribe("store", messages.facts_of_store(service), tells=lambda _: False)
    bus.on_reconnect(service.renewals.renew_soon)
    await service.start()
    await bus.open()
    relaying = asyncio.create_task(relay.run())
    await stop.wait()
    await bus.close()
    relaying.cancel()
    await asyncio.wait([relaying])
    await service.close()
    await plugins.close()
    await local.close()


async def _checks(records: SqliteRecords) -> tuple[Check, ...]:
    await records.last_revision()
    return (Check(name="database", ok=True),)
