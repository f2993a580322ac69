"""What is seen of a running plugin, taken into its record."""

from __future__ import annotations

from dataclasses import dataclass

from services.store import ports
from services.store.domain import runtime, status
from services.store.domain.operation import Change, Unit
from services.store.service.containers import Containers
from services.store.service.inventory import PluginInventory
from shared.contracts.executor import Container
from shared.contracts.plugin import Plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Makes the record follow the container, and the container's health check the wish."""

    inventory: PluginInventory
    containers: Containers
    clock: ports.Clock

    async def take_in(self, plugin: Plugin, container: Container) -> Plugin:
        """Commit what is new about a running container; return the record as it is then.

        A container that is checked otherwise than is wished is checked so from now on. A repeat
        changes nothing.
        """
        wished = runtime.health_check(plugin)
        if container.health_check != wished:
            container = await self.containers.check(container.container_id, wished)
        now = status.observed(plugin, container)
        if now != plugin:
            facts = status.noticed(plugin, now, self.clock())
            await self.inventory.commit(Unit(changes=(Change.of(now, *facts),)))
        return now
