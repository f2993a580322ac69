"""The steps of creating and removing, each of which a crash may cut short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.volume import ports
from services.volume.domain.errors import unchecked
from services.volume.domain.record import Kind, Operation, Position, Unit, VolumeRecord, fact
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from shared import errdefs

log = structlog.get_logger()

#: The driver did not answer, which says nothing about what it did.
_IN_DOUBT = (errdefs.Unavailable, errdefs.DeadlineExceeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Begins, finishes and undoes operations; the caller holds the volume's lane."""

    catalog: Catalog
    drivers: Drivers
    leases: ports.Leases
    clock: ports.Clock
    #: Called when an operation is left to be ended in the background.
    left_over: Callable[[], None]

    async def settle(self, name: str) -> None:
        """End what an earlier process, or a failure, left under way; safe to repeat.

        Raises what stands in the way.
        """
        operation = self.catalog.operation(name)
        if operation is None:
            return
        match operation.kind:
            case Kind.CREATE:
                await self._settle_create(operation)
            case Kind.REMOVE:
                await self._settle_remove(operation)
            case Kind.RELEASE:
                await self.release(operation)
        log.info("interrupted operation ended", kind=operation.kind, volume=name)

    async def create(self, operation: Operation, driver: ports.Driver) -> VolumeRecord:
        """Hold the plugin, have the volume made unless it is there, and commit it.

        Raises what stands in the way; then the plugin is let go again.
        """
        record = operation.record
        await self.catalog.commit(Unit(begin=operation))
        try:
            if record.is_held:
                await self.leases.acquire(record)
            scope = await driver.scope()
            if await driver.get(record.name) is None:
                await driver.create(record.name, record.options or {})
            return await self._commit_created(operation, scope)
        except errdefs.Error:
            await self._give_up(operation)
            raise

    async def remove(self, operation: Operation, driver: ports.Driver) -> None:
        """Have a volume deleted and commit that; raises the driver's error, nothing changed."""
        await self.catalog.commit(Unit(begin=operation))
        try:
            await driver.remove(operation.name)
        except errdefs.Error:
            await self.catalog.commit(Unit(end=operation.name))
            raise
        await self.forget(operation)

    async def forget(self, operation: Operation) -> Position:
        """Commit that a volume is gone, then let its plugin go; the driver is not asked."""
        record = operation.record
        gone = fact(record.name, "destroy", self.clock(), driver=record.driver)
        release = operation.now(Kind.RELEASE) if record.is_held else None
        position = await self.catalog.commit(
            Unit(
                drop=record.name,
                begin=release,
                end=record.name if release is None else None,
                facts=(gone,),
                answers=operation.message_id,
            )
        )
        if release is not None:
            await self._try_release(release)
        return position

    async def release(self, operation: Operation) -> None:
        """Let a plugin go, and note it; raises what the store answers, to be tried again."""
        if operation.record.is_held:
            await self.leases.release(operation.record)
        await self.catalog.commit(Unit(end=operation.name))

    async def _commit_created(self, operation: Operation, scope: str) -> VolumeRecord:
        record = operation.record.model_copy(update={"scope": scope})
        made = fact(record.name, "create", self.clock(), driver=record.driver)
        await self.catalog.commit(Unit(put=record, end=record.name, facts=(made,)))
        return record

    async def _give_up(self, operation: Operation) -> None:
        release = operation.now(Kind.RELEASE)
        await self.catalog.commit(Unit(begin=release))
        await self._try_release(release)

    async def _try_release(self, operation: Operation) -> None:
        """Release now if that is possible; what is left is done by *settle*."""
        try:
            await self.release(operation)
        except errdefs.Error as error:
            log.warning("plugin not let go yet", volume=operation.name, reason=error.message)
            self.left_over()

    async def _settle_create(self, operation: Operation) -> None:
        """Go forward if the driver has made the volume, else back."""
        record = operation.record
        try:
            driver = await self.drivers.find(record.driver)
            found = await driver.get(record.name)
        except _IN_DOUBT as error:
            raise unchecked(record.name, record.driver, error) from error
        except errdefs.Error:
            found = None  # the plugin is gone, or is not to run: so is its volume
        if found is None:
            await self._give_up(operation)
            return
        if record.is_held:
            await self.leases.acquire(record)
        await self._commit_created(operation, await driver.scope())

    async def _settle_remove(self, operation: Operation) -> None:
        """Go forward; where the driver refuses, the volume stays."""
        try:
            driver, found = await self.drivers.lookup(operation.record)
            if found is not None:
                await driver.remove(operation.name)
        except _IN_DOUBT:
            raise
        except errdefs.Error as error:
            log.warning("volume stays", volume=operation.name, reason=error.message)
            await self.catalog.commit(Unit(end=operation.name))
            return
        await self.forget(operation)
