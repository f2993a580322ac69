"""Change how a plugin is supervised, enabled or not."""

from __future__ import annotations

from dataclasses import dataclass

from services.store import ports
from services.store.domain import ended, status
from services.store.domain.operation import Change, Unit
from services.store.service.inventory import PluginInventory
from services.store.service.requirements import Requirements
from services.store.service.supervisor import Supervisor
from shared.bus.ports import Delivery
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed, SupervisePlugin
from shared.contracts.supervision import requirements
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionChange:
    """The verb that lays an operator's word over the author's."""

    inventory: PluginInventory
    lanes: Lanes
    supervisor: Supervisor
    requirements: Requirements
    clock: ports.Clock

    async def supervise(self, command: SupervisePlugin, delivery: Delivery) -> Changed:
        """Set parts of a plugin's supervision; they hold at once."""
        plugin_id = self.inventory.resolve(command.name).plugin_id
        async with self.lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            changed = _supervised(plugin, command)
            if changed.requires != plugin.requires:
                self.requirements.require_no_cycle(changed)
            if changed.supervised.restart_policy != plugin.supervised.restart_policy:
                changed = ended.under_new_policy(changed, self.clock())
            now_ns = self.clock()
            facts = [status.fact(changed, "update", now_ns)]
            if changed.status.state is not plugin.status.state:
                facts += ended.not_restarted(changed, now_ns)
            committed = await self.inventory.commit(
                Unit(changes=(Change.of(changed, *facts),), answers=delivery.message_id)
            )
        self.supervisor.look_soon(plugin_id)
        return committed.changed


def _supervised(plugin: Plugin, command: SupervisePlugin) -> Plugin:
    said = {name: value for name, value in command.supervision if value is not None}
    if command.supervision.health is not None:
        command.supervision.health.check()
    if command.supervision.requires is not None:
        said["requires"] = requirements(command.supervision.requires)
    reset = dict.fromkeys(command.reset)
    supervision = plugin.supervision.model_copy(update=reset | said)
    return plugin.model_copy(update={"supervision": supervision})
