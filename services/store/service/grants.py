"""Consent to what a plugin asks for."""

from __future__ import annotations

from dataclasses import dataclass

from services.store import ports
from services.store.domain import consent, status
from services.store.domain.operation import Change, Unit
from services.store.service.inventory import PluginInventory
from shared.bus.ports import Delivery
from shared.contracts.store import Changed, GrantPlugin
from shared.oci.privileges import PluginPrivilege
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """The verb that adds to a plugin's grant."""

    inventory: PluginInventory
    lanes: Lanes
    clock: ports.Clock

    async def grant(self, command: GrantPlugin, delivery: Delivery) -> Changed:
        """Grant a plugin what it asks for; its next start counts on it."""
        plugin_id = self.inventory.resolve(command.name).plugin_id
        async with self.lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            body = [PluginPrivilege.from_go(privilege) for privilege in command.privileges]
            changed = consent.after_grant(plugin, body, self.clock())
            committed = await self.inventory.commit(
                Unit(
                    changes=(Change.of(changed, status.fact(plugin, "grant", self.clock())),),
                    answers=delivery.message_id,
                )
            )
        return committed.changed

    async def fill(self) -> None:
        """Give records from before grants were kept what they could have until now."""
        now_ns = self.clock()
        bare = [plugin for plugin in self.inventory.all() if plugin.grant is None]
        if bare:
            changes = tuple(Change.of(consent.filled(plugin, now_ns)) for plugin in bare)
            await self.inventory.commit(Unit(changes=changes))
