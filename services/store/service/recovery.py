"""Finishes, or rolls back, operations that a crash or a deaf executor interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog

from services.store.domain.operation import Kind, Operation
from shared import errdefs
from shared.tasks.background import Tasks, until_done
from shared.tasks.lanes import Lanes

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

    async def settled(self) -> None:
        """Wait until all that was to be ended at the start is."""
        await self._tasks.settled()

    async def close(self) -> None:
        """Stop; what is not ended yet is ended after the next start."""
        await self._tasks.cancel_all()

    async def _end(self, operation: Operation) -> None:
        async with self._lanes.hold(operation.plugin_id):
            await until_done(lambda: self._try(operation))
        log.info("interrupted operation ended", kind=operation.kind, plugin=operation.plugin_id)

    async def _try(self, operation: Operation) -> None:
        try:
            await self._finish[operation.kind](operation)
        except OSError as error:
            # Whatever the disk has: one that is given up keeps its plugin from every verb.
            raise errdefs.Unavailable(f"{error}: look at the disk") from error
