"""Upgrades of enabled plugins, each driven from phase to phase, whoever dies meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from opentelemetry import trace

from services.store.domain import handover, job
from services.store.domain.handover import Handover
from services.store.domain.job import JobRecord
from services.store.service.handover_phases import HandoverPhases
from services.store.service.handover_rollback import HandoverRollback
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.contracts.upgrade import UpgradePhase
from shared.tasks.background import Tasks, until_done
from shared.telemetry import context
from shared.telemetry.spans import opened

log = structlog.get_logger()
tracer = trace.get_tracer(__name__)

_Phase = Callable[[JobRecord, Handover], Awaitable[None]]


class Handovers:
    """A task for each; all that it knows is in the job's journal."""

    def __init__(
        self, *, inventory: PluginInventory, phases: HandoverPhases, rollback: HandoverRollback
    ) -> None:
        self._inventory = inventory
        self._phases = phases
        self._tasks = Tasks()
        self._actions: Mapping[UpgradePhase, _Phase] = {
            UpgradePhase.STOP: phases.stop,
            UpgradePhase.SWAP: phases.swap,
            UpgradePhase.START: phases.start,
            UpgradePhase.MONITOR: phases.monitor,
            UpgradePhase.DRAIN: phases.drain,
            UpgradePhase.COMMIT: phases.commit,
            UpgradePhase.ROLLBACK: rollback.rollback,
        }

    def resume_all(self) -> None:
        """Go on with what a crash interrupted, each in the trace that it began in."""
        for record in self._inventory.live_jobs():
            if record.handover is not None:
                with context.within(record.job.traceparent):
                    self.resume(record.job.job_id)

    def resume(self, job_id: str) -> None:
        """Drive an upgrade to its end, in the background."""
        self._tasks.ensure(job_id, self._drive(job_id))

    async def close(self) -> None:
        """Stop where each of them is; the next start goes on from there."""
        await self._tasks.cancel_all()

    async def _drive(self, job_id: str) -> None:
        await self._phases.say(self._inventory.require_job(job_id))
        while self._inventory.require_job(job_id).handover is not None:
            await until_done(lambda: self._do(job_id))

    async def _do(self, job_id: str) -> None:
        record = self._inventory.require_job(job_id)
        journal, phase = record.handover, record.job.phase
        if journal is None or phase is None:
            return
        try:
            with opened(
                tracer,
                f"upgrade {phase}",
                attributes={"wherry.job.id": job_id, "wherry.plugin": record.job.name},
            ):
                if record.job.cancelled and handover.is_revocable(phase):
                    await self._phases.turn_back(record, job.was_cancelled(record))
                else:
                    await self._actions[phase](record, journal)
        except errdefs.Error:
            raise
        except Exception as fault:
            log.exception("upgrade failed", job_id=job_id, phase=phase)
            error = errdefs.Internal(f"a fault in the store in phase {phase}: look at its log")
            if not handover.is_revocable(phase):
                raise error from fault  # it is done again
            await self._phases.turn_back(record, error)
