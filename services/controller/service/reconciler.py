"""Services, nodes and tasks: looked at when something changes, and brought to what is desired."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.controller import ports
from services.controller.domain import orchestrator
from services.controller.domain.orchestrator import Plan
from services.controller.domain.placement import Place
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.service.credentials import Credentials
from services.controller.service.ledger import Ledger, service_entry, task_entry
from services.controller.service.nodes import Nodes
from services.controller.service.task_runs import TaskRuns
from shared import errdefs

#: The wait after a look that failed, for want of a disk.
_PAUSE_S = 1.0
#: Changes that come together are looked at together.
_GATHER_S = 0.02

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Runs while our controller is active."""

    ledger: Ledger
    nodes: Nodes
    runs: TaskRuns
    credentials: Credentials
    clock: ports.Clock
    new_id: Callable[[], str]
    #: Our node, which is the manager.
    node: str

    async def run(self) -> None:
        """Look again and again until cancelled; nothing is looked at while nothing changes."""
        while True:
            moved = self.ledger.catalog.next_move()
            try:
                due_ns = await self.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s(due_ns)):
                        await moved.wait()
                await asyncio.sleep(_GATHER_S)
            except errdefs.Error as error:
                log.warning("services not looked after", reason=error.message)
                await asyncio.sleep(_PAUSE_S)

    async def look(self) -> int | None:
        """Bring all one step further; return when to look again though nothing changes."""
        places = {node.name: Place.of(node, self.node) for node in self.nodes.all()}
        due = [await self._look(service_id, places) for service_id in self._service_ids()]
        present = frozenset(name for name, place in places.items() if place.is_up)
        await self.runs.follow(self.ledger.tasks(), present)
        return min((at_ns for at_ns in due if at_ns is not None), default=None)

    async def _look(self, service_id: str, places: dict[str, Place]) -> int | None:
        async with self.ledger.turn():
            service = self.ledger.service(service_id)
            planned = orchestrator.plan(
                service, places, self.ledger.tasks(service_id), self.clock(), self.new_id
            )
            if entries := _entries(planned):
                await self.ledger.catalog.commit(Unit(entries=entries))
        for task_id in planned.forgotten:
            await self.runs.drop(task_id)
        for record in planned.tasks:
            if places[record.node].is_up:
                await self.runs.turn(record)
        if service is not None:
            # Last, for it may fail: what is committed above is not planned once more.
            await self.credentials.spread(service_id)
        return planned.due_ns

    def _service_ids(self) -> tuple[str, ...]:
        """Return the services that are there, and those of which tasks are left."""
        left = (one.task.service_id for one in self.ledger.tasks())
        there = (one.service.service_id for one in self.ledger.services())
        return tuple(sorted({*there, *left}))

    def _pause_s(self, due_ns: int | None) -> float | None:
        return None if due_ns is None else max(0.0, (due_ns - self.clock()) / 1e9)


def _entries(planned: Plan) -> tuple[Entry, ...]:
    service = (service_entry(planned.service),) if planned.service else ()
    gone = (Entry(kind=Kind.TASK, key=task_id, body=None) for task_id in planned.forgotten)
    return (*service, *map(task_entry, planned.tasks), *gone)
