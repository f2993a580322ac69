"""Drivers by name: the local one, and the plugins that the store knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from services.volume import ports
from services.volume.domain.answer import Found
from services.volume.domain.errors import prefixed, unchecked
from services.volume.domain.record import VolumeRecord
from shared import errdefs

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """Finds drivers; the store is asked each time, so that one enabled just now is found."""

    local: ports.Driver
    plugins: ports.PluginDrivers
    #: Seconds for each driver, where all are asked.
    list_timeout_s: float

    async def find(self, name: str) -> ports.Driver:
        """Return a driver; raises what dockerd answers for a plugin that is none, or is not on."""
        if name == self.local.name:
            return self.local
        try:
            return await self.plugins.find(name)
        except errdefs.Error as error:
            raise prefixed(f"error looking up volume plugin {name}", error) from error

    async def all(self) -> tuple[ports.Driver, ...]:
        """Return all drivers that can be asked, the local one first."""
        return (self.local, *await self.plugins.all())

    async def lookup(self, record: VolumeRecord) -> tuple[ports.Driver, Found | None]:
        """Return a volume's driver, and the volume as it has it; None: it has lost it.

        Raises, in dockerd's words, when that cannot be told.
        """
        try:
            driver = await self.find(record.driver)
            return driver, await driver.get(record.name)
        except errdefs.Error as error:
            raise unchecked(record.name, record.driver, error) from error

    async def probe(self, name: str) -> tuple[ports.Driver, Found] | None:
        """Return the first driver that has a volume of a name, asking all; None: none has."""
        try:
            drivers = await self.all()
        except errdefs.Unavailable as error:
            log.warning("plugins passed over", volume=name, reason=error.message)
            drivers = (self.local,)
        found = await asyncio.gather(*(self._get_or_none(driver, name) for driver in drivers))
        hits = ((d, f) for d, f in zip(drivers, found, strict=True) if f is not None)
        return next(hits, None)

    async def _get_or_none(self, driver: ports.Driver, name: str) -> Found | None:
        try:
            async with asyncio.timeout(self.list_timeout_s):
                return await driver.get(name)
        except (errdefs.Error, TimeoutError) as error:
            log.info("driver passed over", driver=driver.name, volume=name, reason=str(error))
            return None
