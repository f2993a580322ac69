"""Keeps wished plugins running: looks at their containers, restarts those that ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from services.store import ports
from services.store.domain import status
from services.store.domain.operation import Change, Kind, Operation, Unit
from services.store.domain.restart import RestartPolicy
from services.store.service.containers import Containers
from services.store.service.inventory import PluginInventory
from services.store.service.lanes import Lanes
from services.store.service.recovery import Recovery
from services.store.service.tasks import Tasks
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.executor import (
    Container,
    ContainerExited,
    ContainerObserved,
    ContainerStatus,
    ExecutorStarted,
    Exit,
    HealthStatus,
)
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact

log = structlog.get_logger()

#: Restarts under way at once: after a reboot all plugins are due together.
_RESTARTS_AT_ONCE = 8


class Supervisor:
    """Makes what is observed follow what is wished, one plugin at a time.

    The executor's facts are hints to look: the truth is what it answers when asked, so a fact
    that is lost or comes twice changes nothing.
    """

    def __init__(
        self,
        *,
        inventory: PluginInventory,
        lanes: Lanes,
        containers: Containers,
        clock: ports.Clock,
        recovery: Recovery,
        policy: RestartPolicy,
    ) -> None:
        self._inventory = inventory
        self._lanes = lanes
        self._containers = containers
        self._clock = clock
        self._recovery = recovery
        self._policy = policy
        self._looks = Tasks()
        self._restarts = Tasks()
        self._slots = asyncio.Semaphore(_RESTARTS_AT_ONCE)
        self._closed = False

    async def container_exited(self, fact: ContainerExited, _delivery: Delivery) -> None:
        """Look at the plugin whose container ended; clear away a container nobody knows."""
        self._hint(fact.container_id)

    async def container_observed(self, fact: ContainerObserved, _delivery: Delivery) -> None:
        """Look at the plugin whose health, or whose supervisor's, has changed."""
        self._hint(fact.container_id)

    async def executor_started(self, _fact: ExecutorStarted, _delivery: Delivery) -> None:
        """Compare lists: the executor may have missed orders while it was away."""
        self.compare_soon()

    def compare_soon(self) -> None:
        """Compare the inventory with the executor's list in the background, until it worked."""
        self._looks.ensure("*", self._until_answered(self._compare))

    async def interrupt(self, plugin_id: str) -> None:
        """Call off a restart that waits or is under way, and wait until nothing of it is left."""
        await self._restarts.cancel(plugin_id)

    async def close(self) -> None:
        """Start nothing any more; call off what waits and what is under way."""
        self._closed = True
        await self._restarts.cancel_all()
        await self._looks.cancel_all()

    def _hint(self, container_id: str) -> None:
        plugin = self._inventory.by_container(container_id)
        if plugin is None:
            self.compare_soon()
        else:
            self._look_soon(plugin.plugin_id)

    def _look_soon(self, plugin_id: str) -> None:
        self._looks.ensure(plugin_id, self._until_answered(lambda: self._look(plugin_id)))

    async def _until_answered(self, work: ports.Work) -> None:
        """Repeat *work* until executor and disk let it be done."""
        pause_s = 0.1
        while True:
            try:
                return await work()
            except errdefs.Error as error:
                log.warning("not compared", reason=error.message, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 10.0)

    async def _compare(self) -> None:
        for container in await self._containers.list():
            if self._inventory.by_container(container.container_id) is None:
                log.warning("container without a plugin", container_id=container.container_id)
                await self._containers.discard(container.container_id)
        for plugin in self._inventory.all():
            if plugin.enabled:
                self._look_soon(plugin.plugin_id)

    async def _look(self, plugin_id: str) -> None:
        async with self._lanes.hold(plugin_id):
            plugin = self._inventory.get(plugin_id)
            if plugin is None or not plugin.enabled or self._closed:
                return
            match plugin.status.state:
                case PluginState.RUNNING:
                    await self._compare_one(plugin, await self._container_of(plugin))
                case PluginState.STOPPED:
                    await self._commit(status.due_now(plugin, self._clock()))
                case _:
                    pass  # an operation owns it, or its restart has a due time
            self._schedule(plugin_id)

    async def _container_of(self, plugin: Plugin) -> Container | None:
        return await self._containers.get(plugin.status.container_id or "")

    async def _compare_one(self, plugin: Plugin, container: Container | None) -> None:
        if container is None:
            await self._exited(plugin, Exit(exit_code=None, exited_at_ns=self._clock()))
        elif container.status is ContainerStatus.EXITED:
            ended = container.exit or Exit(exit_code=None, exited_at_ns=self._clock())
            await self._exited(plugin, ended)
        else:
            await self._observed(plugin, container)

    async def _exited(self, plugin: Plugin, ended: Exit) -> None:
        container_id = plugin.status.container_id or ""
        log.warning(
            "plugin ended", plugin=plugin.name, container_id=container_id, exit_code=ended.exit_code
        )
        await self._commit(
            status.exited(plugin, ended, self._policy), status.die(plugin, ended, self._clock())
        )
        try:
            await self._containers.delete(container_id)
        except errdefs.Error:
            self.compare_soon()  # finds it without a plugin, and deletes it then

    async def _observed(self, plugin: Plugin, container: Container) -> None:
        message = "its supervisor (conmon) died: output is lost" if container.degraded else ""
        now = status.observed(
            plugin, degraded=container.degraded, health=container.health, message=message
        )
        if now != plugin:
            await self._commit(now, *self._noticed(plugin, now))

    def _noticed(self, before: Plugin, now: Plugin) -> list[Fact]:
        facts = []
        if now.status.degraded and not before.status.degraded:
            facts.append(status.fact(now, "degraded", self._clock()))
        if now.status.health not in (before.status.health, HealthStatus.NONE):
            action = f"health_status: {now.status.health}"
            facts.append(status.fact(now, action, self._clock()))
        return facts

    async def undo_restart(self, operation: Operation, why: str = "") -> None:
        """Clear away a restart that failed, and commit when it is tried again."""
        await self._containers.discard(operation.container_id or "")
        plugin = self._inventory.require(operation.plugin_id, operation.plugin_id)
        failed = status.not_started(plugin, self._clock(), why, self._policy)
        facts = [status.fact(plugin, "start_failed", self._clock(), error=why)] if why else []
        await self._commit(failed, *facts, end=operation.token)
        self._look_soon(operation.plugin_id)

    def _schedule(self, plugin_id: str) -> None:
        plugin = self._inventory.get(plugin_id)
        if plugin is not None and plugin.status.state is PluginState.RESTARTING:
            work = self._until_answered(lambda: self._restart_when_due(plugin_id))
            self._restarts.ensure(plugin_id, work)

    async def _restart_when_due(self, plugin_id: str) -> None:
        while self._is_due_some_time(plugin_id):
            plugin = self._inventory.require(plugin_id, plugin_id)
            due_ns = plugin.status.restart_at_ns or 0
            await asyncio.sleep(max(0.0, (due_ns - self._clock()) / 1e9))
            async with self._slots, self._lanes.hold(plugin_id):
                if self._is_due_some_time(plugin_id):
                    await self._called_off_whole(plugin_id)

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
            await restart
            raise

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
            await self._restart_failed(operation, error.message)

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

    async def _restart_failed(self, operation: Operation, why: str) -> None:
        log.warning("plugin not restarted", plugin_id=operation.plugin_id, reason=why)
        try:
            await self.undo_restart(operation, why)
        except errdefs.Error:
            self._recovery.resume(operation)

    async def _commit(self, plugin: Plugin, *facts: Fact, end: int | None = None) -> None:
        await self._inventory.commit(Unit(changes=(Change.of(plugin, *facts),), end=end))


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
