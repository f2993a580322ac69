"""What the executor does when it starts: take up what runs, tell what ended meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.executor.domain.record import Phase, Record
from services.executor.ports import Host, RuntimeStatus
from services.executor.service.health import HealthLoops
from services.executor.service.stop import Stopper
from services.executor.service.watch import Watch
from shared import errdefs

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """Takes up the containers of an earlier executor."""

    host: Host
    watch: Watch
    stopper: Stopper
    health: HealthLoops

    async def restore(self) -> None:
        """Follow every container again; remove those whose start was never finished."""
        for container_id in self.host.bundles.container_ids():
            record = self.host.bundles.load(container_id)
            if record is None or await self._is_half_made(record):
                await self._clean_up(container_id)
            else:
                held = self.watch.hold(record, committed=True)
                await self._end_execs(container_id)
                if record.phase is Phase.RUNNING:
                    self.health.begin(held)
                log.info("taken up", container_id=container_id, pid=record.init)

    async def _end_execs(self, container_id: str) -> None:
        """End what an earlier executor put beside the container: nobody knows it any more."""
        try:
            await self.host.execs.kill_all(container_id)
        except (errdefs.Error, OSError) as error:
            log.warning("execs left", container_id=container_id, error=str(error))

    async def _is_half_made(self, record: Record) -> bool:
        if record.phase is Phase.PREPARING:
            return True
        if record.phase is Phase.RUNNING or record.exit is not None:
            return False
        status = await self.host.runtime.status(record.container_id)
        return status in {None, RuntimeStatus.CREATING, RuntimeStatus.CREATED}

    async def _clean_up(self, container_id: str) -> None:
        log.info("half-made container removed", container_id=container_id)
        try:
            await self.stopper.remove(container_id)
        except (errdefs.Error, OSError) as error:
            # Others must be taken up all the same; the next start tries again.
            log.warning("half-made container left", container_id=container_id, error=str(error))
