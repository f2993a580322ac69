"""The phases of a handover up to the point where the new version stays, or does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from services.store import ports
from services.store.domain import handover, status, upgrading
from services.store.domain.handover import Handover
from services.store.domain.job import JobRecord
from services.store.service.containers import Containers
from services.store.service.handlers import Handlers
from services.store.service.handover_end import HandoverEnd
from services.store.service.handover_journal import HandoverJournal
from services.store.service.inventory import PluginInventory
from services.store.service.nudges import News
from services.store.service.references import References
from services.store.service.restarts import Restarts
from shared import errdefs
from shared.contracts.executor import Container
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy
from shared.tasks.lanes import Lanes

#: Where there is no moment to wait for: a fact that should have woken us may be lost.
_LOOK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverPhases:
    """Each method does one phase and commits the next; all are safe to repeat.

    They raise when a part is away, and are then called again.
    """

    inventory: PluginInventory
    lanes: Lanes
    containers: Containers
    restarts: Restarts
    references: References
    handlers: Handlers
    journal: HandoverJournal
    end: HandoverEnd
    clock: ports.Clock

    async def say(self, record: JobRecord) -> None:
        """Tell the phase that is begun, or taken up again."""
        await self.journal.tell(record.job.job_id, upgrading.line(record))

    async def stop(self, record: JobRecord, journal: Handover) -> None:
        """Stop the old version, and make the record the new one's, which is to be started."""
        async with self.alone_with(journal.old.plugin_id) as plugin:
            if plugin.status.container_id is not None:
                await self.handlers.stopping(plugin)
                await self.containers.discard(plugin.status.container_id)
            if not self._is_to_go_on(record):
                return
            started = _started(journal, status.stopped(plugin))
            facts = upgrading.upgrade_facts(record, self.clock())
            await self._advance(record, started, *facts, old=plugin)

    async def swap(self, record: JobRecord, journal: Handover) -> None:
        """Make the record the new version's, whose container runs beside the old one's."""
        if not await self._is_decided(record, journal):
            return
        async with self.alone_with(journal.old.plugin_id) as plugin:
            found = await self.containers.get(journal.container_id)
            try:
                container = handover.well(found, journal.container_id)
                running = status.running(_started(journal, plugin), container)
                await self._have_taken(running)
            except errdefs.Error as ailment:
                await self._turn_back(record, plugin, ailment)
                return
            facts = upgrading.upgrade_facts(record, self.clock())
            await self._advance(record, running, *facts, container=container, old=plugin)

    async def start(self, record: JobRecord, journal: Handover) -> None:
        """Start the new version and wait until it is ready, and taken by those who must take it."""
        try:
            container = await self.containers.start(journal.new, journal.container_id)
            if journal.strategy is UpgradeStrategy.STOP_FIRST:
                await self._have_taken(status.running(self._plugin(journal), container))
        except errdefs.Error as error:
            if handover.is_passing(error) and self.clock() < journal.due_ns:
                raise
            await self.turn_back(record, error)
            return
        async with self.lanes.hold(journal.old.plugin_id):
            plugin = self._plugin(journal)
            if journal.strategy is UpgradeStrategy.STOP_FIRST:
                plugin = status.running(plugin, container)
            await self._advance(record, plugin, container=container)

    async def monitor(self, record: JobRecord, journal: Handover) -> None:
        """See whether the new version lasts; look at it when something is told of it."""
        with self.inventory.nudges.heard(journal.old.plugin_id) as news:
            while self._is_to_go_on(record):
                found = await self.containers.get(journal.container_id)
                try:
                    handover.well(found, journal.container_id)
                except errdefs.Conflict as ailment:
                    await self.turn_back(record, ailment, found)
                    return
                if self.clock() >= journal.due_ns and not handover.is_undecided(found):
                    await self._go_on(record, journal)
                    return
                await self._wait(news, journal)

    async def drain(self, record: JobRecord, journal: Handover) -> None:
        """Wait until nobody counts on the old version, or all had their time."""
        with self.inventory.nudges.heard(journal.old.plugin_id) as news:
            while self._counts_on_old(record, journal):
                await self._wait(news, journal)
        await self._go_on(record, journal)

    async def commit(self, record: JobRecord, journal: Handover) -> None:
        """End what is left of the old version, and the upgrade with it."""
        old = journal.old
        if old.status.container_id is not None:
            await self.handlers.stopping(old)
            await self.containers.discard(old.status.container_id)
        async with self.lanes.hold(old.plugin_id):
            await self.end.stays(record, old, self._plugin(journal))

    async def turn_back(
        self, record: JobRecord, why: errdefs.Error, found: Container | None = None
    ) -> None:
        """Commit that the upgrade is to be rolled back, and how the new version was *found*."""
        async with self.lanes.hold(record.job.plugin_id or ""):
            plugin = self.inventory.require(record.job.plugin_id or "", record.job.name)
            ended = None if found is None else found.exit
            facts = () if ended is None else status.died(plugin, ended, self.clock())
            await self._turn_back(record, plugin, why, *facts)

    @asynccontextmanager
    async def alone_with(self, plugin_id: str) -> AsyncIterator[Plugin]:
        """Call off a restart that waits, hold the plugin's lane, and give its record."""
        await self.restarts.interrupt(plugin_id)
        async with self.lanes.hold(plugin_id):
            yield self.inventory.require(plugin_id, plugin_id)

    async def _have_taken(self, running: Plugin) -> None:
        """Have the required handlers take a new version before it is shown as running."""
        until_ns = self.clock() + int(self.containers.ready_timeout_s * 1e9)
        await self.handlers.require(running, until_ns)

    async def _advance(
        self,
        record: JobRecord,
        plugin: Plugin,
        *facts: Fact,
        container: Container | None = None,
        **changes: Any,
    ) -> None:
        is_watched = not self._is_to_go_on(record) or upgrading.is_watched(record, container)
        phase = upgrading.next_phase(record, is_watched=is_watched)
        if handover.has_left(record.request.strategy, phase):
            old = upgrading.journal_of(record).old
            await self.end.stays(record, old, plugin, *facts)
            return
        due_ns = upgrading.due_ns(record, phase, self.clock())
        await self.journal.enter(record.job.job_id, phase, plugin, *facts, due_ns=due_ns, **changes)

    async def _turn_back(
        self, record: JobRecord, plugin: Plugin, why: errdefs.Error, *facts: Fact
    ) -> None:
        await self.journal.enter(
            record.job.job_id, UpgradePhase.ROLLBACK, plugin, *facts, error=why.to_wire()
        )

    def _plugin(self, journal: Handover) -> Plugin:
        return self.inventory.require(journal.old.plugin_id, journal.old.name)

    def _counts_on_old(self, record: JobRecord, journal: Handover) -> bool:
        now = self.inventory.require_job(record.job.job_id).handover
        if now is None or self.clock() >= now.due_ns:  # somebody may have cut it short
            return False
        held = self.references.held(journal.old.plugin_id)
        return any(handover.counts_on_old(one, journal) for one in held)

    async def _is_decided(self, record: JobRecord, journal: Handover) -> bool:
        """Wait for a verdict on the new version's health; tell whether nobody cancelled it."""
        with self.inventory.nudges.heard(journal.old.plugin_id) as news:
            while self._is_to_go_on(record):
                if not handover.is_undecided(await self.containers.get(journal.container_id)):
                    return True
                await self._wait(news, journal)
        return False

    async def _wait(self, news: News, journal: Handover) -> None:
        left_s = (journal.due_ns - self.clock()) / 1e9
        await news.wait(left_s if left_s > 0 else _LOOK_AGAIN_S)

    async def _go_on(self, record: JobRecord, journal: Handover) -> None:
        async with self.lanes.hold(journal.old.plugin_id):
            await self._advance(record, self._plugin(journal))

    def _is_to_go_on(self, record: JobRecord) -> bool:
        now = self.inventory.require_job(record.job.job_id)
        return now.job.phase is record.job.phase and not now.job.cancelled


def _started(journal: Handover, plugin: Plugin) -> Plugin:
    """Return the record as the new version's, whose container is about to be called."""
    new = journal.new.model_copy(update={"status": plugin.status})
    return status.starting_in(new, journal.container_id)
