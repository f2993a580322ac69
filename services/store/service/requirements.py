"""Waits until what a plugin requires is ready, and keeps what is required from being disabled."""

from __future__ import annotations

import asyncio

from services.store.domain import requirements
from services.store.domain.requirements import Unmet
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed


class Requirements:
    """Looks at what plugins require whenever something was committed; never for ever."""

    def __init__(self, *, inventory: PluginInventory, timeout_s: float) -> None:
        """Wait *timeout_s* where a plugin is started that nobody waits for."""
        self._inventory = inventory
        self._timeout_s = timeout_s
        self._waiting: set[asyncio.Event] = set()
        inventory.on_commit(self._committed)

    def unmet(self, plugin_id: str) -> str:
        """Return why a plugin can't be started now; "" when it can, or is gone."""
        found = self._unmet(plugin_id)
        return "" if found is None else found.why

    async def until_met(self, plugin_id: str) -> str:
        """Wait until a plugin can be started; return why it still can't, "" when it can."""
        await self._wait(plugin_id, self._timeout_s)
        return self.unmet(plugin_id)

    async def require(self, plugin: Plugin, timeout_s: float) -> None:
        """Wait until a plugin can be started; raises Conflict, naming what it lacks.

        Does not wait for what nobody wishes.
        """
        found = self._unmet(plugin.plugin_id)
        if found is not None and found.may_come:
            await self._wait(plugin.plugin_id, timeout_s)
            found = self._unmet(plugin.plugin_id)
        if found is not None:
            ring = requirements.cycle(plugin, self._inventory.all())
            note = f"; they require one another: {' -> '.join(ring)}" if ring else ""
            raise errdefs.Conflict(
                f"plugin {plugin.name} cannot be started: {found.why}{note}",
                detail={"plugin": plugin.name},
            )

    def require_unneeded(self, plugin: Plugin) -> None:
        """Raise Conflict while an enabled plugin requires this one and no other meets that."""
        needed_by = requirements.needed_by(plugin, self._inventory.all())
        if plugin.enabled and needed_by:
            raise errdefs.Conflict(
                f"plugin {plugin.name} is required by {', '.join(needed_by)}: disable that first, "
                "or use force",
                detail={"plugin": plugin.name, "required_by": list(needed_by)},
            )

    def require_no_cycle(self, plugin: Plugin) -> None:
        """Raise InvalidArgument for a record by which plugins would require one another."""
        others = [p for p in self._inventory.all() if p.plugin_id != plugin.plugin_id]
        ring = requirements.cycle(plugin, [*others, plugin])
        if ring:
            raise errdefs.InvalidArgument(
                f"plugins cannot require one another: {' -> '.join(ring)}",
                detail={"plugin": plugin.name},
            )

    def _unmet(self, plugin_id: str) -> Unmet | None:
        plugin = self._inventory.get(plugin_id)
        if plugin is None or not plugin.requires:
            return None
        return requirements.first_unmet(plugin, self._inventory.all())

    async def _wait(self, plugin_id: str, timeout_s: float) -> None:
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(timeout_s):
                while self._unmet(plugin_id) is not None:
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            pass  # who asked looks at what is still unmet
        finally:
            self._waiting.discard(changed)

    def _committed(self, _changed: Changed) -> None:
        for changed in self._waiting:
            changed.set()
