"""The orderly end of all plugins: who requires others goes first, all within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from services.store import ports
from services.store.domain import requirements, status
from services.store.domain.operation import Change, Unit
from services.store.service.containers import Containers
from services.store.service.handlers import Handlers
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.contracts.plugin import PluginState
from shared.tasks.lanes import Lanes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Stops plugins that stay wished."""

    inventory: PluginInventory
    lanes: Lanes
    containers: Containers
    handlers: Handlers
    clock: ports.Clock
    #: After it, plugins are killed at once.
    timeout_s: float

    async def stop_all(self) -> None:
        """Stop all plugins, each after those that require it, and whatever else runs.

        Raises the first error once all have been tried.
        """
        deadline_ns = self.clock() + int(self.timeout_s * 1e9)
        failed: list[BaseException] = []
        for level in requirements.stop_levels(self.inventory.all()):
            stops = (self._stop(plugin.plugin_id, deadline_ns) for plugin in level)
            failed += await _all_of(stops)
        rest = await self.containers.list()
        failed += await _all_of(self.containers.discard(one.container_id, 0) for one in rest)
        failed += await _all_of(self.containers.unmount(p.plugin_id) for p in self.inventory.all())
        failed += await _all_of([self.containers.unmount_trash()])
        if failed:
            raise failed[0]

    async def _stop(self, plugin_id: str, deadline_ns: int) -> None:
        try:
            async with self.lanes.hold(plugin_id, deadline_ns):
                await self._stop_held(plugin_id, deadline_ns)
        except errdefs.DeadlineExceeded as error:
            # Its container is killed with the rest; that ends whoever holds the lane as well.
            log.warning("plugin not stopped in time", plugin_id=plugin_id, reason=error.message)

    async def _stop_held(self, plugin_id: str, deadline_ns: int) -> None:
        plugin = self.inventory.get(plugin_id)
        if plugin is None or plugin.status.state is PluginState.STOPPED:
            return
        if plugin.status.container_id is not None:
            await self.handlers.stopping(plugin)
            left_s = max(0.0, (deadline_ns - self.clock()) / 1e9)
            await self.containers.discard(plugin.status.container_id, left_s)
        await self.inventory.commit(Unit(changes=(Change.of(status.stopped(plugin)),)))
        log.info("plugin stopped, still wished", plugin=plugin.name)


async def _all_of(works: Iterable[Coroutine[Any, Any, None]]) -> list[BaseException]:
    """Do all at once; return what went wrong."""
    results = await asyncio.gather(*works, return_exceptions=True)
    return [result for result in results if result is not None]
