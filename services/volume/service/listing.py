"""All volumes: what each driver lists, and what is known of those that do not answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.volume import ports
from services.volume.domain import shown
from services.volume.domain.answer import Found
from services.volume.domain.errors import prefixed
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.volume import ListVolumes, Volume, VolumeList


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A driver, and what came of asking it: its volumes, or why there are none."""

    driver: str
    volumes: tuple[Volume, ...] = ()
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Asks drivers side by side, none longer than its time."""

    catalog: Catalog
    drivers: Drivers

    async def list_all(self, command: ListVolumes, _delivery: Delivery) -> VolumeList:
        """Return volumes by name.

        Those created here are there whether their driver lists them or not: they hold it.
        """
        drivers, warnings = await self._drivers()
        wanted = [d for d in drivers if not command.drivers or d.name in command.drivers]
        asked = await asyncio.gather(*map(self._ask, wanted))
        # A name that a record has belongs to that record's driver.
        volumes = {one.name: one for said in reversed(asked) for one in said.volumes}
        volumes = {one.name: one for one in self._recorded(command)} | volumes
        warnings += [said.warning for said in asked if said.warning]
        return VolumeList(
            volumes=tuple(volumes[name] for name in sorted(volumes)), warnings=tuple(warnings)
        )

    async def _drivers(self) -> tuple[tuple[ports.Driver, ...], list[str]]:
        try:
            return await self.drivers.all(), []
        except errdefs.Error as error:
            return (self.drivers.local,), [f"list: error listing plugins: {error.message}"]

    async def _ask(self, driver: ports.Driver) -> Asked:
        limit_s = self.drivers.list_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                found, scope = await asyncio.gather(driver.list(), driver.scope())
        except TimeoutError:
            late = errdefs.DeadlineExceeded(f"the driver did not answer within {limit_s:g} s")
            return Asked(driver=driver.name, warning=_warning(driver.name, late))
        except errdefs.Error as error:
            return Asked(driver=driver.name, warning=_warning(driver.name, error))
        shown_ = (self._shown(driver.name, scope, one) for one in found)
        return Asked(driver=driver.name, volumes=tuple(one for one in shown_ if one is not None))

    def _shown(self, driver: str, scope: str, found: Found) -> Volume | None:
        record = self.catalog.get(found.name)
        if record is None:
            return shown.stranger(driver, scope, found)
        if record.driver != driver:
            return None
        return shown.volume(record, found, self.catalog.holders(found.name))

    def _recorded(self, command: ListVolumes) -> list[Volume]:
        return [
            shown.volume(record, Found(name=record.name), self.catalog.holders(record.name))
            for record in self.catalog.all()
            if not command.drivers or record.driver in command.drivers
        ]


def _warning(driver: str, error: errdefs.Error) -> str:
    return prefixed(f"list {driver}", error).message
