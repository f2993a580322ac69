"""The tasks under way: each goes on, step by step, from what is observed to what is desired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing

import structlog

from services.controller import ports
from services.controller.domain import task
from services.controller.domain.task import Applied, Step, TaskRecord
from services.controller.service.ledger import Ledger
from services.controller.service.node_backend import LEASE_S
from services.controller.service.plugin_controller import PluginController
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.swarm import TaskState
from shared.tasks.background import Tasks, until_done

#: Between tries of a step that is hindered.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
#: Several renewals in a row may fail before a lease runs out.
RENEW_EVERY_S = LEASE_S / 8

log = structlog.get_logger()


class TaskRuns:
    """One coroutine for each task that has something to do, or waits beside its plugin."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: ports.Clock,
        backend: Callable[[TaskRecord], ports.PluginBackend],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._backend = backend
        self._tasks = Tasks()

    async def follow(self, records: Iterable[TaskRecord], present: frozenset[str]) -> None:
        """Let tasks of *present* nodes go on, and those of others rest until these are back."""
        for record in records:
            if record.node not in present:
                await self._tasks.cancel(record.task_id)
            elif task.next_step(record) is not None and not self._tasks.has(record.task_id):
                self._tasks.ensure(record.task_id, self._run(record.task_id))

    async def turn(self, record: TaskRecord) -> None:
        """Let a task go on from anew: something else is desired of it."""
        await self._tasks.cancel(record.task_id)
        self._tasks.ensure(record.task_id, self._run(record.task_id))

    async def drop(self, task_id: str) -> None:
        """Let a task rest that is no more."""
        await self._tasks.cancel(task_id)

    async def close(self) -> None:
        """Let all tasks rest: what was begun goes on with whoever is active next."""
        await self._tasks.cancel_all()

    async def run_renewals(self) -> None:
        """Renew, until cancelled, the leases by which running tasks hold their plugins."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            await self.renew()

    async def renew(self) -> None:
        """Renew the leases once; one that cannot be renewed now is next time."""
        for record in self._ledger.tasks():
            is_held = record.applied is not None and not record.task.spec.plugin.disabled
            if is_held and record.state is TaskState.RUNNING and self._tasks.has(record.task_id):
                await self._renew(record)

    async def _renew(self, record: TaskRecord) -> None:
        backend = self._backend(record)
        try:
            plugin = await backend.get(record.applied.plugin_id if record.applied else "")
            if plugin is not None:
                await backend.acquire(plugin, record.task_id)
        except errdefs.Error as error:
            log.warning("lease not renewed", task_id=record.task_id, reason=error.message)

    async def _run(self, task_id: str) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            record = self._ledger.task(task_id)
            step = task.next_step(record) if record else None
            if record is None or step is None:
                return
            try:
                await self._take(record, step)
                pause_s = _FIRST_PAUSE_S
            except errdefs.Error as error:
                if not await self._settle(task_id, error):
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _take(self, record: TaskRecord, step: Step) -> None:
        controller = PluginController(
            backend=self._backend(record), record=record, before=self._before(record)
        )
        match step:
            case Step.PREPARE:
                plugin = await controller.prepare()
                await self._change(record, lambda one: task.prepared(one, plugin, self._clock()))
            case Step.START:
                plugin = await controller.start()
                await self._change(record, lambda one: task.started(one, plugin, self._clock()))
            case Step.WAIT:
                await self._wait(controller, record)
            case Step.SHUTDOWN:
                await controller.shutdown()
                await self._advance(record, step)
            case Step.REMOVE:
                await controller.remove(self._others(record))
                await self._advance(record, step)
            case _:
                await self._advance(record, step)

    async def _wait(self, controller: PluginController, record: TaskRecord) -> None:
        held_in = ""
        async with aclosing(controller.wait()) as seen:
            async for plugin in seen:
                await self._observe(record, plugin)
                container_id = plugin.status.container_id or ""
                if container_id != held_in and plugin.enabled:
                    # Its new container is to be drained by no lease on the one before.
                    await controller.backend.acquire(plugin, record.task_id)
                    held_in = container_id

    async def _observe(self, record: TaskRecord, plugin: Plugin) -> None:
        await self._change(record, lambda one: task.observed(one, plugin, self._clock()))

    async def _advance(self, record: TaskRecord, step: Step) -> None:
        await self._change(record, lambda one: task.advanced(one, step, self._clock()))

    async def _change(self, record: TaskRecord, change: Callable[[TaskRecord], TaskRecord]) -> None:
        changed = await self._commit(record.task_id, change)
        if changed is not None and changed.state is not record.state:
            log.info(
                "task",
                task_id=record.task_id,
                node=record.node,
                from_state=record.state,
                to_state=changed.state,
            )

    async def _commit(
        self, task_id: str, change: Callable[[TaskRecord], TaskRecord]
    ) -> TaskRecord | None:
        """Make something of a task, once our database takes it: its errors are not the task's."""
        return await until_done(lambda: self._ledger.change_task(task_id, change))

    async def _settle(self, task_id: str, error: errdefs.Error) -> bool:
        """Note what went wrong; tell whether the step is to be tried again."""
        is_temporary = task.is_temporary(error) or self._is_removing(task_id)
        note = task.hindered if is_temporary else task.failed
        record = await self._commit(task_id, lambda one: note(one, error, self._clock()))
        log.warning(
            "task hindered" if is_temporary else "task failed",
            task_id=task_id,
            reason=error.message,
        )
        return record is not None and is_temporary

    def _is_removing(self, task_id: str) -> bool:
        """Tell whether a task has ended and is to leave: that has to come about in the end."""
        record = self._ledger.task(task_id)
        return record is not None and record.state.is_terminal

    def _before(self, record: TaskRecord) -> Applied | None:
        """Return what the last task before this one has made of the node's plugin."""
        mine = self._ledger.tasks(record.task.service_id)
        found = [
            one.applied
            for one in mine
            if one.node == record.node and one.applied and one.task_id != record.task_id
        ]
        return found[-1] if found else None

    def _others(self, record: TaskRecord) -> tuple[TaskRecord, ...]:
        """Return the other tasks of a service on a node that have not given up their part."""
        mine = self._ledger.tasks(record.task.service_id)
        return tuple(
            one
            for one in mine
            if one.node == record.node and one.task_id != record.task_id and not one.is_removed
        )
