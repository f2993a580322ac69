"""Remove a plugin with all its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.store import ports
from services.store.domain import status
from services.store.domain.operation import Change, Kind, Operation, Unit
from services.store.service.containers import Containers
from services.store.service.giving_way import GivingWay
from services.store.service.inventory import PluginInventory
from services.store.service.lifecycle import Lifecycle
from services.store.service.references import References
from services.store.service.supervisor import Supervisor
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed, RemovePlugin
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The verb that ends a plugin; once begun it is finished, whoever dies."""

    inventory: PluginInventory
    lanes: Lanes
    containers: Containers
    folders: ports.Folders
    supervisor: Supervisor
    lifecycle: Lifecycle
    references: References
    giving_way: GivingWay
    clock: ports.Clock
    #: Called when blobs may have become garbage.
    collect_soon: Callable[[], None]

    async def remove(self, command: RemovePlugin, delivery: Delivery) -> Changed:
        """Remove a plugin, and the leases on it; *force* stops it first, and takes it from all."""
        plugin = self.inventory.resolve(command.name)
        plugin_id = plugin.plugin_id
        if not command.force:
            return await self._remove(plugin_id, command, delivery)
        await self.giving_way.ask(plugin, delivery)
        async with self.supervisor.interrupted(plugin_id):
            return await self._remove(plugin_id, command, delivery)

    async def _remove(self, plugin_id: str, command: RemovePlugin, delivery: Delivery) -> Changed:
        async with self.lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            if not command.force:
                self._require_removable(plugin)
            operation = await self.lifecycle.begin_stop(plugin, Kind.REMOVE, delivery.message_id)
            return await self.lifecycle.finished(operation, self.finish_remove)

    def _require_removable(self, plugin: Plugin) -> None:
        self.references.require_unused(plugin)
        if plugin.enabled:
            raise errdefs.Conflict(
                f"plugin {plugin.name} is enabled", detail={"plugin": plugin.name}
            )

    async def finish_remove(self, operation: Operation) -> Changed:
        """Stop, unmount, move the files aside and commit; safe to repeat."""
        if operation.container_id is not None:
            await self.containers.discard(operation.container_id)
        await self.containers.clear_leftovers(operation.plugin_id)
        await self.folders.bury(operation.plugin_id)
        plugin = self.inventory.require(operation.plugin_id, operation.plugin_id)
        committed = await self.inventory.commit(
            Unit(
                changes=(
                    Change(
                        plugin_id=plugin.plugin_id,
                        plugin=None,
                        facts=(status.fact(plugin, "remove", self.clock()),),
                    ),
                ),
                end=operation.token,
                answers=operation.message_id,
            )
        )
        self.collect_soon()
        return committed.changed
