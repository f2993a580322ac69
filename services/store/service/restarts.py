"""Starts plugins again that ended, or did not start, when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from services.store import ports
from services.store.domain import ended, status
from services.store.domain.operation import Change, Kind, Operation, Unit
from services.store.domain.restart import Backoff
from services.store.service.containers import Containers
from services.store.service.inventory import PluginInventory
from services.store.service.recovery import Recovery
from services.store.service.requirements import Requirements
from shared import errdefs
from shared.contracts.executor import Container
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact
from shared.tasks.background import Tasks, until_done
from shared.tasks.lanes import Lanes

log = structlog.get_logger()

#: Restarts under way at once: after a reboot all plugins are due together.
_AT_ONCE = 8


class Restarts:
    """One restart at a time per plugin, called off whole when a verb wants it so."""

    def __init__(
        self,
        *,
        inventory: PluginInventory,
        lanes: Lanes,
        containers: Containers,
        recovery: Recovery,
        requirements: Requirements,
        clock: ports.Clock,
        backoff: Backoff,
    ) -> None:
        self._inventory = inventory
        self._lanes = lanes
        self._containers = containers
        self._recovery = recovery
        self._requirements = requirements
        self._clock = clock
        self._backoff = backoff
        self._tasks = Tasks()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._closed = False

    async def interrupt(self, plugin_id: str) -> None:
        """Call off a restart that waits or is under way, and wait until nothing of it is left."""
        await self._tasks.cancel(plugin_id)

    async def close(self) -> None:
        """Restart nothing any more; call off what waits and what is under way."""
        self._closed = True
        await self._tasks.cancel_all()

    async def undo_restart(
        self, operation: Operation, why: str = "", *, blames_plugin: bool = False
    ) -> None:
        """Clear away a restart that failed, and commit when it is tried again, if it is.

        Only what is the plugin's own fault counts for its restart policy.
        """
        await self._containers.discard(operation.container_id or "")
        plugin = self._inventory.require(operation.plugin_id, operation.plugin_id)
        now_ns = self._clock()
        if why and blames_plugin:
            failed = ended.not_started(plugin, now_ns, why, self._backoff)
        else:
            failed = ended.put_off(plugin, now_ns, why, self._backoff)
        facts = [status.fact(plugin, "start_failed", now_ns, error=why)] if why else []
        await self._commit(
            failed, *facts, *ended.not_restarted(failed, now_ns), end=operation.token
        )
        self.schedule(operation.plugin_id)

    def schedule(self, plugin_id: str) -> None:
        """Restart a plugin when it is due; one that waits for no restart is left alone."""
        plugin = self._inventory.get(plugin_id)
        if plugin is not None and plugin.status.state is PluginState.RESTARTING:
            work = until_done(lambda: self._restart_when_due(plugin_id))
            self._tasks.ensure(plugin_id, work)

    async def _restart_when_due(self, plugin_id: str) -> None:
        told = ""
        while self._is_due_some_time(plugin_id):
            plugin = self._inventory.require(plugin_id, plugin_id)
            due_ns = plugin.status.restart_at_ns or 0
            await asyncio.sleep(max(0.0, (due_ns - self._clock()) / 1e9))
            lacking = await self._wait_for_required(plugin_id)
            async with self._slots, self._lanes.hold(plugin_id):
                if not self._is_due_some_time(plugin_id):
                    return
                if lacking:
                    await self._put_off(plugin_id, lacking, is_told=lacking == told)
                    told = lacking
                else:
                    await self._called_off_whole(plugin_id)

    async def _wait_for_required(self, plugin_id: str) -> str:
        """Wait until what a plugin requires is ready; return what is not, in the end."""
        lacking = self._requirements.unmet(plugin_id)
        if not lacking:
            return ""
        async with self._lanes.hold(plugin_id):
            plugin = self._inventory.get(plugin_id)
            if plugin is not None and self._is_due_some_time(plugin_id):
                waiting = ended.waiting(plugin, lacking)
                if waiting != plugin:
                    await self._commit(waiting)
        return await self._requirements.until_met(plugin_id)

    async def _put_off(self, plugin_id: str, lacking: str, *, is_told: bool) -> None:
        """Tell once that a plugin was not started; it goes on waiting."""
        plugin = self._inventory.require(plugin_id, plugin_id)
        if not is_told:
            log.warning("plugin not started", plugin=plugin.name, reason=lacking)
            fact = status.fact(plugin, "start_failed", self._clock(), error=lacking)
            await self._commit(ended.waiting(plugin, lacking), fact)

    def _is_due_some_time(self, plugin_id: str) -> bool:
        plugin = self._inventory.get(plugin_id)
        waits = plugin is not None and plugin.status.state is PluginState.RESTARTING
        return waits and not self._closed

    async def _called_off_whole(self, plugin_id: str) -> None:
        """Restart; when cancelled, call the start off, and end what was committed with it."""
        called_off = asyncio.Event()
        restart = asyncio.create_task(self._restart(plugin_id, called_off))
        try:
            await asyncio.shield(restart)
        except asyncio.CancelledError:
            called_off.set()
            (failed,) = await asyncio.gather(restart, return_exceptions=True)
            if failed is not None:
                log.warning(
                    "restart called off: it had failed", plugin_id=plugin_id, reason=str(failed)
                )
            raise  # in place of that, or who called it off would wait for the next try

    async def _restart(self, plugin_id: str, called_off: asyncio.Event) -> None:
        operation = await self._begin_restart(self._inventory.require(plugin_id, plugin_id))
        plugin = self._inventory.require(plugin_id, plugin_id)
        container_id = operation.container_id or ""
        try:
            start = self._containers.start(plugin, container_id)
            container = await _unless(called_off, start)
            if container is None:
                return await self._restart_failed(operation, "")
            fact = status.fact(plugin, "restart", self._clock())
            await self._commit(status.running(plugin, container), fact, end=operation.token)
        except errdefs.Error as error:
            await self._restart_failed(operation, error.message, blames_plugin=_is_its_own(error))

    async def _begin_restart(self, plugin: Plugin) -> Operation:
        container_id = status.next_container_id(plugin)
        begun = await self._inventory.commit(
            Unit(
                changes=(Change.of(status.starting(plugin)),),
                begin=Operation(
                    plugin_id=plugin.plugin_id,
                    kind=Kind.RESTART,
                    message_id=container_id,
                    container_id=container_id,
                ),
            )
        )
        assert begun.operation is not None
        return begun.operation

    async def _restart_failed(
        self, operation: Operation, why: str, *, blames_plugin: bool = False
    ) -> None:
        log.warning("plugin not restarted", plugin_id=operation.plugin_id, reason=why)
        try:
            await self.undo_restart(operation, why, blames_plugin=blames_plugin)
        except errdefs.Error:
            self._recovery.resume(operation)

    async def _commit(self, plugin: Plugin, *facts: Fact, end: int | None = None) -> None:
        await self._inventory.commit(Unit(changes=(Change.of(plugin, *facts),), end=end))


def _is_its_own(error: errdefs.Error) -> bool:
    """Tell a plugin that can't start from an executor, a bus or a disk that can't start it."""
    if isinstance(error, errdefs.DeadlineExceeded):
        return error.docker_unclassed  # it was not ready in time; else nobody answered in time
    return not isinstance(error, errdefs.Unavailable | errdefs.ResourceExhausted)


async def _unless(
    called_off: asyncio.Event, start: Coroutine[Any, Any, Container]
) -> Container | None:
    """Return what *start* gives, or None once it is called off and has cleaned up."""
    starting, off = asyncio.create_task(start), asyncio.create_task(called_off.wait())
    await asyncio.wait({starting, off}, return_when=asyncio.FIRST_COMPLETED)
    off.cancel()
    starting.cancel()
    try:
        return await starting
    except asyncio.CancelledError:
        return None
