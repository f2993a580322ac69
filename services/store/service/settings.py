"""Change a stopped plugin's settings, and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from services.store import ports
from services.store.domain import consent, status
from services.store.domain.operation import Change, Unit
from services.store.domain.plugin_config import config_of, settings_of
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed, LimitPlugin, SetPlugin
from shared.oci import settings
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """The verbs that lay something over an unchanging config."""

    inventory: PluginInventory
    lanes: Lanes
    clock: ports.Clock

    async def set(self, command: SetPlugin, delivery: Delivery) -> Changed:
        """Apply all arguments, or none when one of them is refused."""
        plugin_id = self.inventory.resolve(command.name).plugin_id
        async with self.lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            if plugin.enabled:
                raise errdefs.Conflict(
                    "cannot set on an active plugin, disable plugin before setting",
                    detail={"plugin": plugin.name},
                    docker_unclassed=True,
                )
            # What the config lets people set, its setting is consent to: see ADR 0009.
            changed = consent.after_set(plugin, _applied(plugin, command.args), self.clock())
            return await self._commit(changed, "set", delivery)

    async def limit(self, command: LimitPlugin, delivery: Delivery) -> Changed:
        """Replace a stopped plugin's limits; they hold from its next start on."""
        plugin_id = self.inventory.resolve(command.name).plugin_id
        async with self.lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            if plugin.enabled:
                raise errdefs.Conflict(
                    f"cannot limit plugin {plugin.name} while it is enabled: disable it first",
                    detail={"plugin": plugin.name},
                )
            limited = plugin.model_copy(update={"resources": command.resources})
            return await self._commit(limited, "update", delivery)

    async def _commit(self, changed: Plugin, action: str, delivery: Delivery) -> Changed:
        fact = status.fact(changed, action, self.clock())
        committed = await self.inventory.commit(
            Unit(changes=(Change.of(changed, fact),), answers=delivery.message_id)
        )
        return committed.changed


def _applied(plugin: Plugin, args: tuple[str, ...]) -> Plugin:
    config = config_of(plugin)
    overlay = settings.apply(config, settings_of(plugin), args)
    return plugin.model_copy(update={"settings": overlay.to_dict()})
