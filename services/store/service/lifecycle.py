"""Enable and disable: a plugin's wish, and the container that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.store import ports
from services.store.domain import ended, status
from services.store.domain.operation import Change, Kind, Operation, Unit
from services.store.service.containers import Containers
from services.store.service.giving_way import GivingWay
from services.store.service.handlers import Handlers
from services.store.service.inventory import PluginInventory
from services.store.service.recovery import Recovery
from services.store.service.references import References
from services.store.service.requirements import Requirements
from services.store.service.supervisor import Supervisor
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Changed, DisablePlugin, EnablePlugin
from shared.tasks.lanes import Lanes

_CUT_SHORT = "its start was cut short: enable it again"
#: What a start has at least, however long it waited for others.
_LEAST_START_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The verbs that start and stop a plugin."""

    inventory: PluginInventory
    lanes: Lanes
    containers: Containers
    supervisor: Supervisor
    recovery: Recovery
    references: References
    requirements: Requirements
    giving_way: GivingWay
    handlers: Handlers
    clock: ports.Clock

    async def enable(self, command: EnablePlugin, delivery: Delivery) -> Changed:
        """Start a plugin and wish it running; only a plugin that became ready is enabled.

        One that its restart policy starts no more is started by this, too.
        """
        plugin_id = self.inventory.resolve(command.name).plugin_id
        async with self.lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            if plugin.enabled and plugin.status.state is not PluginState.EXITED:
                raise errdefs.Conflict(
                    f"plugin already enabled: plugin {plugin.name} is enabled",
                    detail={"plugin": plugin.name},
                )
            timeout_s = command.timeout_s or self.containers.ready_timeout_s
            left_s = await self._wait_for_required(plugin, timeout_s)
            return await self._enable(plugin, left_s, delivery.message_id)

    async def disable(self, command: DisablePlugin, delivery: Delivery) -> Changed:
        """Stop a plugin and wish it stopped; *force* does so while it is in use, or a job's."""
        plugin = self.inventory.resolve(command.name)
        plugin_id = plugin.plugin_id
        if command.force:
            await self.giving_way.ask(plugin, delivery)
        else:
            # Before a restart is called off for nothing.
            self.references.require_unused(plugin)
            self.requirements.require_unneeded(plugin)
        async with (
            self.supervisor.interrupted(plugin_id),
            self.lanes.hold(plugin_id, delivery.deadline_ns),
        ):
            plugin = self.inventory.require_idle(plugin_id, command.name)
            if not command.force:
                self.references.require_unused(plugin)
                self.requirements.require_unneeded(plugin)
            if not plugin.enabled:
                raise errdefs.Conflict(
                    f"plugin is already disabled: plugin {plugin.name} found but disabled",
                    detail={"plugin": plugin.name},
                )
            operation = await self.begin_stop(plugin, Kind.DISABLE, delivery.message_id)
            return await self.finished(operation, self.finish_disable)

    async def begin_stop(self, plugin: Plugin, kind: Kind, message_id: str) -> Operation:
        """Commit that a plugin is being stopped for good: a crash from now on finishes it.

        Who handles its capabilities is told first, while it still answers.
        """
        await self.handlers.stopping(plugin)
        begun = await self.inventory.commit(
            Unit(
                changes=(Change.of(status.stopping(plugin)),),
                begin=Operation(
                    plugin_id=plugin.plugin_id,
                    kind=kind,
                    message_id=message_id,
                    container_id=plugin.status.container_id,
                ),
            )
        )
        return _begun(begun)

    async def finished(
        self, operation: Operation, finish: Callable[[Operation], Awaitable[Changed]]
    ) -> Changed:
        """Finish an operation now, or leave it to recovery and raise what was in the way."""
        try:
            return await finish(operation)
        except BaseException:
            self.recovery.resume(operation)
            raise

    async def finish_disable(self, operation: Operation) -> Changed:
        """Stop the container and commit that the plugin is disabled; safe to repeat."""
        if operation.container_id is not None:
            await self.containers.discard(operation.container_id)
        plugin = self.inventory.require(operation.plugin_id, operation.plugin_id)
        disabled = status.stopped(plugin).model_copy(update={"enabled": False})
        committed = await self.inventory.commit(
            Unit(
                changes=(Change.of(disabled, status.fact(plugin, "disable", self.clock())),),
                end=operation.token,
                answers=operation.message_id,
            )
        )
        return committed.changed

    async def undo_enable(self, operation: Operation, why: str = "") -> None:
        """Clear away a start that failed, and commit that the plugin is stopped.

        Without a reason it was cut short, and nobody was answered: that is an event.
        """
        await self.containers.discard(operation.container_id or "")
        plugin = self.inventory.require(operation.plugin_id, operation.plugin_id)
        undone = ended.still_exited if plugin.enabled else status.stopped
        stopped = undone(plugin, message=why or _CUT_SHORT)
        fact = status.fact(plugin, "start_failed", self.clock(), error=_CUT_SHORT)
        change = Change.of(stopped) if why else Change.of(stopped, fact)
        await self.inventory.commit(Unit(changes=(change,), end=operation.token))

    async def _wait_for_required(self, plugin: Plugin, timeout_s: float) -> float:
        """Wait until what a plugin requires is ready; return how much of the time is left."""
        began_ns = self.clock()
        await self.requirements.require(plugin, timeout_s)
        return max(_LEAST_START_S, timeout_s - (self.clock() - began_ns) / 1e9)

    async def _enable(self, plugin: Plugin, timeout_s: float, message_id: str) -> Changed:
        begin = Operation(
            plugin_id=plugin.plugin_id,
            kind=Kind.ENABLE,
            message_id=message_id,
            container_id=status.next_container_id(plugin),
        )
        begun = await self.inventory.commit(
            Unit(changes=(Change.of(status.starting(plugin, anew=True)),), begin=begin)
        )
        operation = _begun(begun)
        try:
            return await self._start(operation, timeout_s)
        except BaseException as error:
            await asyncio.shield(self._give_up(operation, str(error)))
            raise

    async def _start(self, operation: Operation, timeout_s: float) -> Changed:
        plugin = self.inventory.require(operation.plugin_id, operation.plugin_id)
        until_ns = self.clock() + int((timeout_s or self.containers.ready_timeout_s) * 1e9)
        container = await self.containers.start(plugin, operation.container_id or "", timeout_s)
        enabled = status.running(plugin, container).model_copy(update={"enabled": True})
        await self.handlers.require(enabled, until_ns)
        committed = await self.inventory.commit(
            Unit(
                changes=(Change.of(enabled, status.fact(plugin, "enable", self.clock())),),
                end=operation.token,
                answers=operation.message_id,
            )
        )
        return committed.changed

    async def _give_up(self, operation: Operation, why: str) -> None:
        try:
            await self.undo_enable(operation, why)
        except errdefs.Error:
            self.recovery.resume(operation)  # the error that came first is the one to tell


def _begun(committed: ports.Committed) -> Operation:
    if committed.operation is None:
        raise errdefs.Internal("an operation was committed, but is not there")
    return committed.operation
