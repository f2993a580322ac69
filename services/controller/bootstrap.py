"""Puts the controller on its adapters and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Final

from prometheus_client import REGISTRY

from services.controller.adapters import machine
from services.controller.adapters.fleet import BusFleet
from services.controller.adapters.lease import RedisLease
from services.controller.adapters.records import MIGRATIONS, SqliteRecords
from services.controller.adapters.vault import NodeVault
from services.controller.config import ControllerConfig
from services.controller.domain.role import Role
from services.controller.entrypoints import bus as messages
from services.controller.entrypoints.metrics import ControllerMetrics
from services.controller.service.catalog import Catalog
from services.controller.service.service import Controller
from shared import errdefs
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.contracts.health import Check
from shared.contracts.node import NodeState, new_id
from shared.idempotency.once import Once
from shared.idempotency.outcomes import SqliteOutcomes
from shared.node.config import NodeConfig
from shared.node.database import owned_database
from shared.sealing import load_or_make_key, read_public_key
from shared.sqlite import Database
from shared.version import VERSION

#: Commands at once.
_CONCURRENCY = 256


#: Services that subscribe to the changes: none of these leaves the stream before they settled it.
READERS: Final = ("event",)


async def serve(config: ControllerConfig, bus: RedisBus, stop: asyncio.Event) -> None:
    """Run the service until *stop* is set."""
    async with owned_database(config.database, MIGRATIONS) as database:
        await _serve(config, bus, database, stop)


async def _serve(
    config: ControllerConfig, bus: RedisBus, database: Database, stop: asyncio.Event
) -> None:
    if config.role is Role.MANAGER:
        # No pull service makes it there, and logins of services are sealed to it.
        await asyncio.to_thread(load_or_make_key, config.node.root)
    records = SqliteRecords(database, time.time_ns)
    relay = Relay(
        bus=bus,
        epoch=await records.epoch(),
        read_after=records.published_after,
        last_number=records.last_revision,
        readers=READERS,
    )
    lease = RedisLease(bus, ttl_s=config.lease_s)
    controller = Controller(
        catalog=Catalog(records, committed=relay.wake, clock=time.time_ns),
        lease=lease,
        fleet=BusFleet(bus=bus, lease=lease),
        clock=time.time_ns,
        node=config.node.name,
        version=VERSION,
        seal_key=lambda: _seal_key(config.node),
        description=machine.describe(
            config.labels,
            config.address or machine.address_towards(config.node.redis_url),
            runs_plugins=config.role is not Role.MANAGER,
        ),
        may_lead=config.role is not Role.WORKER,
        vault=NodeVault(config.node.root),
        new_id=new_id,
        lease_s=config.lease_s,
        node_timeout_s=config.node_timeout_s,
    )
    REGISTRY.register(ControllerMetrics(controller))
    once = Once(SqliteOutcomes(database, time.time_ns), time.time_ns)
    bus.serve(
        once.all(messages.commands(controller)),
        concurrency=_CONCURRENCY,
        checks=lambda: _checks(controller, records),
        version=VERSION,
    )
    bus.on_reconnect(controller.leadership.look_soon)
    await controller.start()
    await bus.open()
    controller.run()
    relaying = asyncio.create_task(relay.run())
    await stop.wait()
    await controller.close()
    await bus.close()
    relaying.cancel()
    await asyncio.wait([relaying])


async def _checks(controller: Controller, records: SqliteRecords) -> tuple[Check, ...]:
    await records.last_revision()
    holder = controller.leadership.holder
    message = f"active: {holder.node}, term {holder.term}" if holder else "no controller is active"
    lease = Check(name="lease", ok=holder is not None, message=message)
    return (Check(name="database", ok=True), lease, *_nodes(controller))


def _nodes(controller: Controller) -> tuple[Check, ...]:
    """Return how many nodes are ready, where that is known; this node is none the worse for it."""
    if not controller.leadership.is_active:
        return ()
    nodes = controller.nodes.all()
    ready = sum(node.state is NodeState.READY for node in nodes)
    return (Check(name="nodes", ok=True, message=f"{ready} of {len(nodes)} are ready"),)


def _seal_key(node: NodeConfig) -> str:
    """Return the public key of the node's pull service in base64; empty while there is none."""
    try:
        return base64.b64encode(read_public_key(node.root)).decode()
    except errdefs.Unavailable:
        return ""
