"""What the executor does when it starts: take up what runs, tell what ended meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import structlog

from services.executor.domain.record import Phase, Record
from services.executor.ports import Host, RuntimeStatus
from services.executor.service.health import HealthLoops
from services.executor.service.stop import Stopper
from services.executor.service.watch import Watch
from shared import errdefs
from shared.tasks.background import Tasks, until_done

log = structlog.get_logger()

#: What may keep one container from being looked at: the others are taken up all the same.
_OBSTACLES = (errdefs.Error, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """Takes up the containers of an earlier executor."""

    host: Host
    watch: Watch
    stopper: Stopper
    health: HealthLoops

    _later: Tasks = field(default_factory=Tasks)

    async def restore(self) -> None:
        """Follow every container again; remove those whose start was never finished.

        One of which that can't be told now is looked at again, and all are told once it can.
        """
        for container_id in self.host.bundles.container_ids():
            try:
                await self._take_up(container_id)
            except _OBSTACLES as error:
                log.warning("not taken up yet", container_id=container_id, error=str(error))
                again = partial(self._take_up_late, container_id)
                self._later.ensure(container_id, until_done(again, obstacles=_OBSTACLES))

    def require_looked_at(self, container_id: str) -> None:
        """Raise Unavailable for a container that was found, and could not be looked at yet."""
        if self._later.has(container_id):
            raise errdefs.Unavailable(
                f"container {container_id} could not be looked at yet since the executor started: "
                "its log says why; try again",
                detail={"container_id": container_id},
            )

    async def close(self) -> None:
        """Take up nothing any more: the next executor does."""
        await self._later.cancel_all()

    async def _take_up(self, container_id: str) -> None:
        record = self.host.bundles.load(container_id)
        if record is None or await self._is_half_made(record):
            await self._clean_up(container_id)
            return
        held = self.watch.hold(record, committed=True)
        await self._end_execs(container_id)
        if record.phase is Phase.RUNNING:
            self.health.begin(held)
        log.info("taken up", container_id=container_id, pid=record.init)

    async def _take_up_late(self, container_id: str) -> None:
        async with self.watch.lock(container_id):
            # A command may have come first: it is deleted then.
            if self.watch.get(container_id) is None and self.host.bundles.has(container_id):
                await self._take_up(container_id)
        # Who compared lists meanwhile did not find it.
        await self.watch.announce_all()

    async def _end_execs(self, container_id: str) -> None:
        """End what an earlier executor put beside the container: nobody knows it any more."""
        try:
            await self.host.execs.kill_all(container_id)
        except _OBSTACLES as error:
            log.warning("execs left", container_id=container_id, error=str(error))

    async def _is_half_made(self, record: Record) -> bool:
        if record.phase is Phase.PREPARING:
            return True
        if record.phase is Phase.RUNNING or record.exit is not None:
            return False
        status = await self.host.runtime.status(record.container_id)
        return status in {None, RuntimeStatus.CREATING, RuntimeStatus.CREATED}

    async def _clean_up(self, container_id: str) -> None:
        await self.stopper.remove(container_id)
        log.info("half-made container removed", container_id=container_id)
