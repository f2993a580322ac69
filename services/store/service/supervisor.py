"""Keeps wished plugins running: looks at their containers, restarts those that ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from services.store import ports
from services.store.domain import ended, status
from services.store.domain.operation import Change, Unit
from services.store.domain.restart import Backoff
from services.store.service.containers import Containers
from services.store.service.inventory import PluginInventory
from services.store.service.observations import Observations
from services.store.service.restarts import Restarts
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.executor import (
    Container,
    ContainerExited,
    ContainerObserved,
    ContainerStatus,
    ExecutorStarted,
    Exit,
)
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact
from shared.tasks.background import Tasks, until_done
from shared.tasks.lanes import Lanes

log = structlog.get_logger()

#: Keys of looks at more than one plugin, whose ids are the other keys.
_COMPARISON, _STRAYS = "*", "strays"


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
        restarts: Restarts,
        backoff: Backoff,
    ) -> None:
        self._inventory = inventory
        self._lanes = lanes
        self._containers = containers
        self._clock = clock
        self._observations = Observations(inventory=inventory, containers=containers, clock=clock)
        self._restarts = restarts
        self._backoff = backoff
        self._looks = Tasks()
        self._compared = asyncio.Event()
        self._strays: list[str] = []
        #: By plugin: containers that something was told of while an upgrade decided what follows.
        self._put_off: dict[str, set[str]] = {}
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

    def look_soon(self, plugin_id: str) -> None:
        """Make what is observed of a plugin follow what is wished, in the background."""
        self._looks.ensure(plugin_id, until_done(lambda: self._look(plugin_id)))

    def hand_back(self, plugin_id: str) -> None:
        """Look after a plugin again whose upgrade is over, at once if something is amiss."""
        told_of, plugin = self._put_off.pop(plugin_id, set()), self._inventory.get(plugin_id)
        if plugin is None:
            return
        is_well = plugin.status.state is PluginState.RUNNING
        if not is_well or plugin.status.container_id in told_of:
            self.look_soon(plugin_id)

    def compare_soon(self) -> None:
        """Compare the inventory with the executor's list in the background, until it worked."""
        self._looks.ensure(_COMPARISON, until_done(self._compare))

    @asynccontextmanager
    async def interrupted(self, plugin_id: str) -> AsyncIterator[None]:
        """Call off a restart that waits or is under way, and wait until nothing of it is left.

        It is taken up again when the verb in the block is refused.
        """
        await self._restarts.interrupt(plugin_id)
        try:
            yield
        except errdefs.Error:
            self.look_soon(plugin_id)
            raise

    async def close(self) -> None:
        """Start nothing any more; call off what waits and what is under way."""
        self._closed = True
        await self._restarts.close()
        await self._looks.cancel_all()

    def _hint(self, container_id: str) -> None:
        plugin_id = self._inventory.owner_of(container_id)
        if plugin_id is None:
            self.compare_soon()
        else:
            if self._inventory.is_upgraded_alone(plugin_id):
                self._put_off_look(plugin_id, container_id)
            self._inventory.nudges.nudge(plugin_id)
            self.look_soon(plugin_id)

    async def first_compared(self) -> tuple[str, ...]:
        """Wait for the first comparison; return the containers that it found without a plugin."""
        await self._compared.wait()
        return tuple(self._strays)

    async def _compare(self) -> None:
        left = await self._discard_strays()
        for plugin in self._inventory.all():
            if plugin.enabled:
                self.look_soon(plugin.plugin_id)
        if left is not None:
            # It alone is tried again: the plugins are looked at.
            self._looks.ensure(_STRAYS, until_done(self._discard_rest))

    async def _discard_rest(self) -> None:
        left = await self._discard_strays()
        if left is not None:
            raise left

    async def _discard_strays(self) -> errdefs.Error | None:
        """Discard containers without a plugin; return why one is left, for the next try."""
        left: errdefs.Error | None = None
        for container in await self._containers.list():
            container_id = container.container_id
            if self._inventory.owner_of(container_id) is not None:
                continue
            log.warning("container without a plugin", container_id=container_id)
            try:
                await self._containers.discard(container_id)
            except errdefs.Error as error:
                left = error
            else:
                self._note_stray(container_id)
        if left is None:
            self._compared.set()
        return left

    def _note_stray(self, container_id: str) -> None:
        if not self._compared.is_set():
            self._strays.append(container_id)

    async def _look(self, plugin_id: str) -> None:
        async with self._lanes.hold(plugin_id):
            plugin = self._inventory.get(plugin_id)
            if plugin is None or not plugin.enabled or self._closed:
                return
            if self._inventory.is_upgraded_alone(plugin_id):
                # What follows an exit, or a bad verdict on its health, is its upgrade's to decide.
                await self._only_observe(plugin)
                return
            match plugin.status.state:
                case PluginState.RUNNING:
                    await self._compare_one(plugin, await self._container_of(plugin))
                case PluginState.STOPPED:
                    await self._commit(ended.due_now(plugin, self._clock()))
                case _:
                    pass  # an operation owns it, its restart has a due time, or it is left
            self._restarts.schedule(plugin_id)

    async def _container_of(self, plugin: Plugin) -> Container | None:
        return await self._containers.get(plugin.status.container_id or "")

    async def _compare_one(self, plugin: Plugin, container: Container | None) -> None:
        if container is None:
            await self._exited(plugin, Exit(exit_code=None, exited_at_ns=self._clock()))
        elif container.status is ContainerStatus.EXITED:
            how = container.exit or Exit(exit_code=None, exited_at_ns=self._clock())
            await self._exited(plugin, how)
        else:
            now = await self._observations.take_in(plugin, container)
            if ended.is_to_be_stopped(now):
                await self._stop_sick(now)

    async def _only_observe(self, plugin: Plugin) -> None:
        if plugin.status.state is PluginState.RUNNING:
            container = await self._container_of(plugin)
            if container is not None and container.status is not ContainerStatus.EXITED:
                await self._observations.take_in(plugin, container)
            else:
                self._put_off_look(plugin.plugin_id, plugin.status.container_id or "")

    def _put_off_look(self, plugin_id: str, container_id: str) -> None:
        self._put_off.setdefault(plugin_id, set()).add(container_id)

    async def _exited(self, plugin: Plugin, how: Exit) -> None:
        container_id = plugin.status.container_id or ""
        log.warning(
            "plugin ended", plugin=plugin.name, container_id=container_id, exit_code=how.exit_code
        )
        now = ended.exited(plugin, how, self._backoff)
        now_ns = self._clock()
        await self._commit(
            now, *status.died(plugin, how, now_ns), *ended.not_restarted(now, now_ns)
        )
        try:
            await self._containers.delete(container_id)
        except errdefs.Error:
            self.compare_soon()  # finds it without a plugin, and deletes it then

    async def _stop_sick(self, plugin: Plugin) -> None:
        log.warning("plugin stopped: unhealthy", plugin=plugin.name)
        how = await self._containers.stop(plugin.status.container_id or "")
        await self._exited(plugin, how or Exit(exit_code=None, exited_at_ns=self._clock()))

    async def _commit(self, plugin: Plugin, *facts: Fact, end: int | None = None) -> None:
        await self._inventory.commit(Unit(changes=(Change.of(plugin, *facts),), end=end))
