"""References to plugins: found, acquired, renewed, released, and dropped when they run out."""

from __future__ import annotations

import asyncio

import structlog

from services.store import ports
from services.store.domain import reference
from services.store.domain.operation import Unit
from services.store.service.inventory import PluginInventory
from shared.bus.ports import Delivery
from shared.contracts.plugin import Plugin
from shared.contracts.reference import (
    GetMode,
    GetPlugin,
    GotPlugin,
    ListReferences,
    Reference,
    ReferenceList,
)
from shared.tasks.background import until_done
from shared.tasks.lanes import Lanes

log = structlog.get_logger()


class References:
    """Who holds which plugin.

    Acquiring, releasing, disabling and removing take turns in the plugin's lane: of an
    acquisition beside a disable, one wins. A lease that has run out counts no more, even while
    its row is still there; none runs out before its owner could renew it since the store came up.
    """

    def __init__(self, *, inventory: PluginInventory, lanes: Lanes, clock: ports.Clock) -> None:
        self._inventory = inventory
        self._lanes = lanes
        self._clock = clock
        self._started_ns = clock()
        #: When the next look is due; None while nothing is held.
        self._due_ns: int | None = None
        self._is_due_sooner = asyncio.Event()

    async def get(self, command: GetPlugin, delivery: Delivery) -> GotPlugin:
        """Return the plugin that was asked for, after doing to its references what *mode* says.

        Safe to repeat. Raises what dockerd answers for a plugin that can't be used.
        """
        plugin = self._inventory.resolve(command.name)
        match command.mode:
            case GetMode.LOOKUP:
                reference.require_usable(plugin, command)
                return GotPlugin(plugin=plugin)
            case GetMode.ACQUIRE:
                return await self._acquire(plugin.plugin_id, command, delivery)
            case GetMode.RELEASE:
                return await self._release(plugin.plugin_id, command, delivery)

    async def list(self, command: ListReferences, _delivery: Delivery) -> ReferenceList:
        """Return who holds a plugin, by owner."""
        plugin = self._inventory.resolve(command.name)
        return ReferenceList(plugin=plugin, references=self.held(plugin.plugin_id))

    def require_unused(self, plugin: Plugin) -> None:
        """Raise Conflict, in dockerd's words, while somebody holds the plugin."""
        held = self.held(plugin.plugin_id)
        if held:
            raise reference.in_use(plugin, held)

    async def run(self) -> None:
        """Drop each lease when its time has run out."""
        while True:
            self._is_due_sooner.clear()
            ends = [self._now(one).until_ns for one in self._inventory.all_references()]
            self._due_ns = min(ends, default=None)
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._is_due_sooner.wait()
            except TimeoutError:
                await self.drop_due()

    async def drop_due(self) -> None:
        """Drop the leases whose time has run out."""
        ended = (one for one in self._inventory.all_references() if not self._is_held(one))
        # Each in its own time: the lane of a plugin that starts may be taken for long.
        await asyncio.gather(*map(self._drop_due, {one.plugin_id for one in ended}))

    async def _acquire(self, plugin_id: str, command: GetPlugin, delivery: Delivery) -> GotPlugin:
        reference.check_owner(command.owner)
        reference.check_ttl(command.ttl_s)
        async with self._lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self._inventory.require(plugin_id, command.name)
            held = self._held_by(plugin_id, command.owner)
            if not reference.is_renewal(command, held):
                reference.require_usable(plugin, command)
            acquired = reference.acquired(command, plugin, held, self._clock())
            await self._inventory.commit(Unit(lease=acquired))
            self._expect(acquired)
        return GotPlugin(plugin=plugin, reference=acquired)

    async def _release(self, plugin_id: str, command: GetPlugin, delivery: Delivery) -> GotPlugin:
        reference.check_owner(command.owner)
        async with self._lanes.hold(plugin_id, delivery.deadline_ns):
            plugin = self._inventory.require(plugin_id, command.name)
            held = self._held_by(plugin_id, command.owner)
            if held is not None:
                await self._inventory.commit(Unit(dropped=(held,)))
        return GotPlugin(plugin=plugin)

    async def _drop_due(self, plugin_id: str) -> None:
        await until_done(lambda: self._drop_due_once(plugin_id))

    async def _drop_due_once(self, plugin_id: str) -> None:
        async with self._lanes.hold(plugin_id):
            due = [one for one in self._inventory.references(plugin_id) if not self._is_held(one)]
            if due:
                await self._inventory.commit(Unit(dropped=tuple(due)))
        for one in due:
            log.info("reference ran out", plugin_id=plugin_id, owner=one.owner)

    def held(self, plugin_id: str) -> tuple[Reference, ...]:
        """Return the leases on a plugin that have not run out, by owner."""
        held = (self._now(one) for one in self._inventory.references(plugin_id))
        return tuple(sorted(filter(self._is_held, held), key=lambda one: one.owner))

    def _held_by(self, plugin_id: str, owner: str) -> Reference | None:
        return next((one for one in self.held(plugin_id) if one.owner == owner), None)

    def _is_held(self, one: Reference) -> bool:
        return self._now(one).until_ns > self._clock()

    def _now(self, one: Reference) -> Reference:
        return reference.since_start(one, self._started_ns)

    def _expect(self, acquired: Reference) -> None:
        if self._due_ns is None or acquired.until_ns < self._due_ns:
            self._is_due_sooner.set()

    def _pause_s(self) -> float | None:
        return None if self._due_ns is None else max(0.0, (self._due_ns - self._clock()) / 1e9)
