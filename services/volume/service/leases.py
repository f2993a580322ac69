"""The leases by which volumes hold their plugins: acquired, renewed and released at the store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from services.volume import ports
from services.volume.domain import lease
from services.volume.domain.record import VolumeRecord
from services.volume.service.catalog import Catalog
from shared import errdefs
from shared.bus.ports import Delivery, Sender
from shared.contracts.store import PluginChanged
from shared.tasks.lanes import Lanes

log = structlog.get_logger()

#: Longer than a plugin takes to start or to stop, for whose end the store lets others wait.
_ANSWER_LIMIT_S = 60.0
#: Until the next try, when some could not be renewed.
_RETRY_S = 30.0
#: What happened to a plugin that is to be held anew.
_COMES = frozenset({"enable", "upgrade"})
#: Renewals under way at once.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLeases:
    """ports.Leases."""

    sender: Sender

    async def acquire(self, record: VolumeRecord) -> None:
        """Hold a volume's plugin, or go on holding it."""
        await self.sender.send(lease.acquire(record), timeout_s=_ANSWER_LIMIT_S)

    async def release(self, record: VolumeRecord) -> None:
        """Hold a volume's plugin no more; a plugin that is gone took the lease along."""
        try:
            await self.sender.send(lease.release(record), timeout_s=_ANSWER_LIMIT_S)
        except errdefs.NotFound:
            log.info("plugin to let go is gone", volume=record.name, plugin=record.driver)


@dataclass(slots=True, kw_only=True)
class Renewals:
    """Renews all leases at the start, in time, and when a plugin comes back or is handed over."""

    catalog: Catalog
    plugins: ports.PluginDrivers
    leases: StoreLeases
    lanes: Lanes
    _is_due: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            self._is_due.clear()
            pause_s = lease.RENEW_EVERY_S if await self.renew_all() else _RETRY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._is_due.wait()
            except TimeoutError:
                continue

    async def renew_soon(self) -> None:
        """Have all renewed now: the store may have lost some."""
        self._is_due.set()

    async def plugin_changed(self, change: PluginChanged, _delivery: Delivery) -> None:
        """Hold a plugin again that was enabled, or handed over to another version.

        The first may be another plugin of the same name; of the second, the old version goes once
        nobody holds it.
        """
        plugin = change.plugin
        self.plugins.changed(change.plugin_id, plugin)
        if plugin is None or not any(fact.action in _COMES for fact in change.facts):
            return
        if any(record.driver == plugin.name for record in self.catalog.all()):
            self._is_due.set()

    async def renew_all(self) -> bool:
        """Renew each lease; return whether the store answered to all."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def renew(record: VolumeRecord) -> bool:
            async with slots, self.lanes.hold(record.name):
                return await self._renew(record)

        held = [record for record in self.catalog.all() if record.is_held]
        return all(await asyncio.gather(*map(renew, held)))

    async def _renew(self, record: VolumeRecord) -> bool:
        # In the lane: renewed after its release, a lease would hold the plugin for nobody.
        if self.catalog.get(record.name) != record:
            return True
        try:
            await self.leases.acquire(record)
        except (errdefs.NotFound, errdefs.Conflict) as error:
            # Taken up when it is enabled.
            log.warning("plugin of a volume", volume=record.name, reason=error.message)
        except errdefs.Error as error:
            log.warning("lease not renewed yet", volume=record.name, reason=error.message)
            return False
        return True
