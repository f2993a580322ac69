"""The node's orderly end, and what readers ask of the whole inventory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from services.store.domain import status
from services.store.domain.operation import Change, Unit
from services.store.service.containers import Containers
from services.store.service.gate import Gate
from services.store.service.handlers import Handlers
from services.store.service.handovers import Handovers
from services.store.service.inventory import PluginInventory
from services.store.service.supervisor import Supervisor
from shared.bus.ports import Delivery
from shared.contracts.message import Done
from shared.contracts.plugin import PluginState
from shared.contracts.store import GetInventory, Inventory, ShutDownNode
from shared.tasks.lanes import Lanes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What concerns all plugins at once."""

    inventory: PluginInventory
    lanes: Lanes
    containers: Containers
    supervisor: Supervisor
    handovers: Handovers
    gate: Gate
    handlers: Handlers

    async def get_inventory(self, _command: GetInventory, _delivery: Delivery) -> Inventory:
        """Return all plugins at the present revision."""
        return self.inventory.snapshot()

    async def shut_down(self, _command: ShutDownNode, _delivery: Delivery) -> Done:
        """Stop all plugins in parallel, still wished, and leave no mount or cgroup behind."""
        self.gate.close("the node is being shut down: start it again with `wherry up`")
        await self.handovers.close()
        await self.supervisor.close()
        await asyncio.gather(*(self._stop(plugin.plugin_id) for plugin in self.inventory.all()))
        for container in await self.containers.list():
            await self.containers.discard(container.container_id)
        await asyncio.gather(
            *(self.containers.unmount(plugin.plugin_id) for plugin in self.inventory.all())
        )
        await self.containers.release_node()
        return Done()

    async def _stop(self, plugin_id: str) -> None:
        async with self.lanes.hold(plugin_id):
            plugin = self.inventory.get(plugin_id)
            if plugin is None or plugin.status.state is PluginState.STOPPED:
                return
            if plugin.status.container_id is not None:
                await self.handlers.stopping(plugin)
                await self.containers.discard(plugin.status.container_id)
            await self.inventory.commit(Unit(changes=(Change.of(status.stopped(plugin)),)))
            log.info("plugin stopped, still wished", plugin=plugin.name)
