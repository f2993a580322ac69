"""Jobs give way to who forces something on the plugin that they have."""

from __future__ import annotations

from dataclasses import dataclass

from services.store import ports
from services.store.domain import job, upgrading
from services.store.domain.job import JobRecord
from services.store.domain.operation import Unit
from services.store.service.inventory import PluginInventory
from services.store.service.jobs import Jobs
from shared.bus.ports import Delivery
from shared.contracts.job import CancelJob
from shared.contracts.plugin import Plugin
from shared.contracts.upgrade import UpgradePhase
from shared.tasks.lanes import Lanes

#: How long who set no limit waits: a worker hears of a wish within seconds.
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GivingWay:
    """What `disable` and `remove` do first when they are forced."""

    inventory: PluginInventory
    lanes: Lanes
    jobs: Jobs
    clock: ports.Clock

    async def ask(self, plugin: Plugin, delivery: Delivery) -> None:
        """Have the job that has a plugin end, and wait until it has; without one it is nothing.

        The job is cancelled; an upgrade whose new version stays already drains no longer. Raises
        Conflict, naming the job, when it does not end in time.
        """
        until_ns = delivery.deadline_ns or self.clock() + int(_LIMIT_S * 1e9)
        with self.inventory.nudges.heard(plugin.plugin_id) as news:
            while (record := self.inventory.live_job(plugin.name)) is not None:
                left_s = (until_ns - self.clock()) / 1e9
                if left_s <= 0:
                    raise job.held(record)
                await self.jobs.cancel(CancelJob(job_id=record.job.job_id), delivery)
                await self._drain_no_longer(record.job.job_id)
                await news.wait(left_s)

    async def _drain_no_longer(self, job_id: str) -> None:
        async with self.lanes.hold(job.lane(job_id)):
            record = self.inventory.require_job(job_id)
            if self._drains(record):
                hurried = upgrading.in_phase(record, UpgradePhase.DRAIN, due_ns=self.clock())
                await self.inventory.commit(Unit(job=hurried))

    def _drains(self, record: JobRecord) -> bool:
        journal = record.handover
        is_draining = journal is not None and record.job.phase is UpgradePhase.DRAIN
        return is_draining and journal is not None and journal.due_ns > self.clock()
