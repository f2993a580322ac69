"""Services and tasks: looked up, and changed in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.domain.task import TaskRecord
from services.controller.service.catalog import Catalog
from shared import errdefs


class Ledger:
    """Those of the catalog's rows that several parts change: each sees what the last one wrote."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._turns = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Keep others from changing anything in the block."""
        async with self._turns:
            yield

    def services(self) -> tuple[ServiceRecord, ...]:
        """Return all services, by name."""
        found = self.catalog.all(Kind.SERVICE, ServiceRecord)
        return tuple(sorted(found, key=lambda one: one.spec.name))

    def service(self, service_id: str) -> ServiceRecord | None:
        """Return a service by its id."""
        return self.catalog.get(Kind.SERVICE, service_id, ServiceRecord)

    def resolve(self, name: str) -> ServiceRecord:
        """Return the service of an id, a name, or the beginning of an id, as swarm looks for it.

        Raises NotFound, or InvalidArgument where several begin so.
        """
        whole = self.service(name)
        if whole is not None:
            return whole
        services = self.services()
        found = [one for one in services if one.spec.name == name] or [
            one for one in services if name and one.service.service_id.startswith(name)
        ]
        if not found:
            raise errdefs.NotFound(f"service {name} not found", detail={"service": name})
        if len(found) > 1:
            raise errdefs.InvalidArgument(
                f"service {name} is ambiguous ({len(found)} matches found)"
            )
        return found[0]

    def tasks(self, service_id: str | None = None) -> tuple[TaskRecord, ...]:
        """Return the tasks, of a service or of all, oldest first."""
        found = self.catalog.all(Kind.TASK, TaskRecord)
        mine = (one for one in found if service_id in (None, one.task.service_id))
        return tuple(sorted(mine, key=lambda one: one.task.created_at_ns))

    def task(self, task_id: str) -> TaskRecord | None:
        """Return a task."""
        return self.catalog.get(Kind.TASK, task_id, TaskRecord)

    async def change_task(
        self, task_id: str, change: Callable[[TaskRecord], TaskRecord]
    ) -> TaskRecord | None:
        """Make something of a task as it is by now; return it; None: it is gone."""
        async with self.turn():
            record = self.task(task_id)
            if record is None:
                return None
            changed = change(record)
            if changed != record:
                await self.catalog.commit(Unit(entries=(task_entry(changed),)))
            return changed


def task_entry(record: TaskRecord) -> Entry:
    """Return a task as a row."""
    return Entry(kind=Kind.TASK, key=record.task_id, body=record)


def service_entry(record: ServiceRecord) -> Entry:
    """Return a service as a row."""
    return Entry(kind=Kind.SERVICE, key=record.service.service_id, body=record)
