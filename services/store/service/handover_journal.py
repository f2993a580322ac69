"""The steps of a handover as they are committed: its journal, the plugin's record, the lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from services.store import ports
from services.store.domain import job, status, upgrading
from services.store.domain.job import JobRecord
from services.store.domain.operation import Change, Unit
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed, Fact
from shared.contracts.upgrade import UpgradePhase
from shared.tasks.lanes import Lanes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverJournal:
    """Writes down each phase with what the plugin has become, in one transaction.

    All but what tells is called in the plugin's lane.
    """

    inventory: PluginInventory
    lanes: Lanes
    feed: ports.JobFeed

    async def enter(
        self, job_id: str, phase: UpgradePhase, plugin: Plugin, *facts: Fact, **changes: Any
    ) -> None:
        """Commit that a phase begins, and say so; *changes* are to the journal."""
        async with self.lanes.hold(job.lane(job_id)):
            # Fresh: somebody may have cancelled it meanwhile.
            record = upgrading.in_phase(self.inventory.require_job(job_id), phase, **changes)
            await self._commit(
                record, status.upgrading(plugin, upgrading.upgrading(record)), *facts
            )
        await self.tell(job_id, upgrading.line(record))

    async def put(self, job_id: str, plugin: Plugin) -> None:
        """Commit what the plugin is now, in the phase that it is in."""
        async with self.lanes.hold(job.lane(job_id)):
            record = self.inventory.require_job(job_id)
            await self._commit(record, status.upgrading(plugin, upgrading.upgrading(record)))

    async def end(
        self, job_id: str, ended: Callable[[JobRecord], JobRecord], plugin: Plugin, *facts: Fact
    ) -> Changed:
        """Commit the job's end with what the plugin is from now on."""
        async with self.lanes.hold(job.lane(job_id)):
            record = ended(self.inventory.require_job(job_id))
            return await self._commit(record, status.upgrading(plugin, None), *facts)

    async def tell(self, job_id: str, line: str) -> None:
        """Say a line to whoever follows the job."""
        await self._told(self.feed.tell(job_id, line))

    async def tell_done(self, job_id: str, changed: Changed) -> None:
        """Say the last line of a job that went well."""
        await self._told(self.feed.tell_done(job_id, changed))

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Say the last line of a job that did not."""
        await self._told(self.feed.tell_failed(job_id, error))

    async def _commit(self, record: JobRecord, plugin: Plugin, *facts: Fact) -> Changed:
        unit = Unit(changes=(Change.of(plugin, *facts),), job=record)
        return (await self.inventory.commit(unit)).changed

    async def _told(self, telling: Awaitable[None]) -> None:
        try:
            await telling
        except errdefs.Unavailable as lost:
            # Whoever follows the job asks for its state when the bus lost the rest.
            log.warning("progress of an upgrade not told", reason=lost.message)
