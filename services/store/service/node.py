"""The node's orderly end, and what readers ask of the whole inventory."""

from __future__ import annotations

from dataclasses import dataclass

from services.store.service.containers import Containers
from services.store.service.gate import Gate
from services.store.service.handovers import Handovers
from services.store.service.inventory import PluginInventory
from services.store.service.shutdown import Shutdown
from services.store.service.supervisor import Supervisor
from shared.bus.ports import Delivery
from shared.contracts.message import Done
from shared.contracts.store import GetInventory, Inventory, ShutDownNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What concerns all plugins at once."""

    inventory: PluginInventory
    containers: Containers
    shutdown: Shutdown
    supervisor: Supervisor
    handovers: Handovers
    gate: Gate

    async def get_inventory(self, _command: GetInventory, _delivery: Delivery) -> Inventory:
        """Return all plugins at the present revision."""
        return self.inventory.snapshot()

    async def shut_down(self, _command: ShutDownNode, _delivery: Delivery) -> Done:
        """Stop all plugins, still wished, and leave no mount or cgroup behind."""
        self.gate.close("the node is being shut down: start it again with `wherry up`")
        await self.handovers.close()
        await self.supervisor.close()
        await self.shutdown.stop_all()
        await self.containers.release_node()
        return Done()
