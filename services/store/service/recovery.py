"""Finishes, or rolls back, operations that a crash or a deaf executor interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog

from services.store.domain.operation import Kind, Operation
from services.store.service.lanes import Lanes
from services.store.service.tasks import Tasks
from shared import errdefs

log = structlog.get_logger()

Finish = Callable[[Operation], Awaitable[object]]


class Recovery:
    """Holds a plugin's lane until its interrupted operation has ended one way or the other."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._finish: Mapping[Kind, Finish] = {}
        self._tasks = Tasks()

    def finish_with(self, finish: Mapping[Kind, Finish]) -> None:
        """Say how each kind of operation ends; each way must be safe to repeat."""
        self._finish = finish

    async def resume_all(self, operations: Iterable[Operation]) -> None:
        """Take the lanes of *operations*, then end them in the background."""
        for operation in operations:
            self.resume(operation)
        await asyncio.sleep(0)  # each task now holds its lane: no verb slips in before

    def resume(self, operation: Operation) -> None:
        """End one operation in the background, however often that takes."""
        self._tasks.ensure(operation.plugin_id, self._end(operation))

    async def close(self) -> None:
        """Stop; what is not ended yet is ended after the next start."""
        await self._tasks.cancel_all()

    async def _end(self, operation: Operation) -> None:
        pause_s = 0.1
        async with self._lanes.hold(operation.plugin_id):
            while not await self._try(operation, pause_s):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 10.0)

    async def _try(self, operation: Operation, pause_s: float) -> bool:
        try:
            await self._finish[operation.kind](operation)
        except errdefs.Error as error:
            log.warning(
                "interrupted operation not ended yet",
                kind=operation.kind,
                plugin_id=operation.plugin_id,
                reason=error.message,
                again_in_s=pause_s,
            )
            return False
        log.info("interrupted operation ended", kind=operation.kind, plugin=operation.plugin_id)
        return True
