"""The rollback of a handover: the old version is put back."""

from __future__ import annotations

from dataclasses import dataclass

from services.store import ports
from services.store.domain import ended, status
from services.store.domain.handover import Handover
from services.store.domain.job import JobRecord
from services.store.service.containers import Containers
from services.store.service.handlers import Handlers
from services.store.service.handover_end import HandoverEnd
from services.store.service.handover_journal import HandoverJournal
from services.store.service.handover_phases import HandoverPhases
from services.store.service.inventory import PluginInventory
from services.store.service.restarts import Restarts
from shared.contracts.executor import Container
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.upgrade import UpgradeStrategy
from shared.tasks.lanes import Lanes

#: How long the old version may take to run again before its upgrade is told to have failed.
_LIMIT_S = 30.0
_ON_ITS_WAY = frozenset({PluginState.STARTING, PluginState.RESTARTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRollback:
    """Safe to repeat, and repeated while a part is away."""

    inventory: PluginInventory
    lanes: Lanes
    containers: Containers
    restarts: Restarts
    handlers: Handlers
    phases: HandoverPhases
    journal: HandoverJournal
    end: HandoverEnd
    clock: ports.Clock

    async def rollback(self, record: JobRecord, journal: Handover) -> None:
        """Put the old version back, and end what is left of the new one."""
        plugin_id = journal.old.plugin_id
        await self._put_back(record, journal)
        await self._discard_new(journal)
        is_running = await self._is_running(plugin_id)
        async with self.lanes.hold(plugin_id):
            plugin = self.inventory.require(plugin_id, journal.old.name)
            await self.end.is_back(record, journal, plugin, is_running=is_running)

    async def _discard_new(self, journal: Handover) -> None:
        container = await self.containers.get(journal.container_id)
        if container is not None and container.exit is None:
            await self.handlers.stopping(status.running(journal.new, container))
        await self.containers.discard(journal.container_id)

    async def _put_back(self, record: JobRecord, journal: Handover) -> None:
        async with self.phases.alone_with(journal.old.plugin_id) as plugin:
            is_old = plugin.rootfs == journal.old.rootfs
            if is_old and journal.strategy is UpgradeStrategy.START_FIRST:
                return  # it was never taken away, and its supervisor looks after it
            container = await self._container(plugin if is_old else journal.old)
            restored = journal.old.model_copy(update={"status": plugin.status})
            if container is not None and container.exit is None:
                restored = status.running(restored, container)
            else:
                restored = ended.due_now(restored, self.clock())
            await self.journal.put(record.job.job_id, restored)

    async def _container(self, plugin: Plugin) -> Container | None:
        if plugin.status.container_id is None:
            return None
        return await self.containers.get(plugin.status.container_id)

    async def _is_running(self, plugin_id: str) -> bool:
        """Wait for the first try to start the old version again, where that is needed."""
        until_ns = self.clock() + int(_LIMIT_S * 1e9)
        with self.inventory.nudges.heard(plugin_id) as news:
            self.restarts.schedule(plugin_id)
            while (left_s := (until_ns - self.clock()) / 1e9) > 0:
                seen = self.inventory.require(plugin_id, plugin_id).status
                if seen.state not in _ON_ITS_WAY or seen.message:
                    break
                await news.wait(left_s)
        return self.inventory.require(plugin_id, plugin_id).status.state is PluginState.RUNNING
