"""The verbs on volumes, and what is asked of one."""

from __future__ import annotations

from dataclasses import dataclass

from services.volume import ports
from services.volume.domain import errors, shown
from services.volume.domain.answer import Found
from services.volume.domain.record import Kind, Operation, Position, VolumeRecord
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from services.volume.service.operations import Operations
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.volume import (
    LOCAL,
    CreateVolume,
    GetVolume,
    RemoveVolume,
    Volume,
    VolumeFound,
    VolumeReply,
)
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Creates, shows and removes volumes, one thing at a time on each name."""

    catalog: Catalog
    drivers: Drivers
    operations: Operations
    lanes: Lanes
    clock: ports.Clock

    async def create(self, command: CreateVolume, delivery: Delivery) -> VolumeReply:
        """Create a volume; one that is there is returned, so that a repeat is safe."""
        async with self.lanes.hold(command.name, delivery.deadline_ns):
            try:
                record = await self.ensure(command)
            except errdefs.Error as error:
                raise errors.prefixed(f"create {command.name}", error) from error
            found = await self.drivers.local.get(record.name) if record.driver == LOCAL else None
        # Of a plugin's volume Docker says no more, for it asks no more.
        volume = shown.volume(record, found or Found(name=record.name))
        return _reply(self.catalog.position, volume)

    async def get(self, command: GetVolume, _delivery: Delivery) -> VolumeFound:
        """Show a volume as its driver has it; one that only its driver knows, too."""
        try:
            return VolumeFound(volume=await self._shown(command.name))
        except errdefs.Error as error:
            raise errors.prefixed(f"get {command.name}", error) from error

    async def remove(self, command: RemoveVolume, delivery: Delivery) -> VolumeReply:
        """Remove a volume that nobody has mounted; a redelivery gets the first reply."""
        async with self.lanes.hold(command.name, delivery.deadline_ns):
            await self.operations.settle(command.name)
            replied = await self.catalog.replied(delivery.message_id)
            if replied is None:
                await self._remove(command, delivery.message_id)
        return _reply(replied or self.catalog.position)

    async def ensure(self, command: CreateVolume) -> VolumeRecord:
        """Return the record of a volume, made if it is not there; the caller holds its lane."""
        await self.operations.settle(command.name)
        record = await self._present(command)
        if record is not None:
            return record
        driver = await self._driver_for(command)
        driver.check(command.name, command.options or {})
        record = VolumeRecord(
            name=command.name,
            driver=driver.name,
            is_held=driver.is_held,
            labels=command.labels,
            options=command.options,
            created_at_ns=self.clock(),
        )
        return await self.operations.create(Operation(kind=Kind.CREATE, record=record), driver)

    async def _present(self, command: CreateVolume) -> VolumeRecord | None:
        """Return the record of a volume that is there; one that its driver has lost goes."""
        name, record = command.name, self.catalog.get(command.name)
        if record is None:
            return None
        asked = (await self.drivers.find(command.driver)).name if command.driver else record.driver
        try:
            _, found = await self.drivers.lookup(record)
        except errdefs.Error as error:
            raise errors.name_taken(
                name,
                f"found reference to volume '{name}' in driver '{record.driver}', but got an "
                f"error while checking the driver: {error.message}",
            ) from error
        if found is not None and asked != record.driver:
            raise errors.name_taken(name, f"driver '{record.driver}' already has volume '{name}'")
        if found is not None:
            return record
        if self.catalog.holders(name):
            raise errors.name_taken(
                name,
                f"found references to volume '{name}' in driver '{record.driver}' but the volume "
                "was not found in the driver -- you may need to remove containers referencing this "
                "volume or force remove the volume to re-create it",
            )
        await self.operations.forget(Operation(kind=Kind.REMOVE, record=record))
        return None

    async def _driver_for(self, command: CreateVolume) -> ports.Driver:
        if command.driver:
            return await self.drivers.find(command.driver)
        hit = await self.drivers.probe(command.name)
        return hit[0] if hit else self.drivers.local

    async def _shown(self, name: str) -> Volume:
        record = self.catalog.get(name)
        if record is None:
            hit = await self.drivers.probe(name)
            if hit is None:
                raise errors.no_such_volume(name)
            return shown.stranger(hit[0].name, await hit[0].scope(), hit[1])
        _, found = await self.drivers.lookup(record)
        if found is None:
            raise errors.no_such_volume(name)
        return shown.volume(record, found, self.catalog.holders(name))

    async def _remove(self, command: RemoveVolume, message_id: str) -> None:
        record = self.catalog.get(command.name)
        if record is None:
            await self._remove_stranger(command)
            return
        owners = [holder.owner for holder in self.catalog.holders(command.name)]
        if owners:
            error = errors.in_use(command.name, owners)
            raise errors.prefixed(f"remove {command.name}", error)
        operation = Operation(kind=Kind.REMOVE, record=record, message_id=message_id)
        driver = await self._driver_of(operation, force=command.force)
        if driver is not None:
            await self._delete(operation, driver, force=command.force)

    async def _driver_of(self, operation: Operation, *, force: bool) -> ports.Driver | None:
        """Return the driver that has the volume; None: it was forgotten instead."""
        name = operation.name
        try:
            driver, found = await self.drivers.lookup(operation.record)
        except errdefs.Error as error:
            if not force:
                raise errors.prefixed(f"get {name}", error) from error
            found = None
        else:
            if found is not None:
                return driver
            if not force:
                await self.operations.forget(operation.now(Kind.REMOVE))
                raise errors.prefixed(f"get {name}", errors.no_such_volume(name))
        await self.operations.forget(operation)
        return None

    async def _delete(self, operation: Operation, driver: ports.Driver, *, force: bool) -> None:
        try:
            await self.operations.remove(operation, driver)
        except errdefs.Error as error:
            if force:
                await self.operations.forget(operation.now(Kind.REMOVE))
            raise errors.prefixed(f"remove {operation.name}", error) from error

    async def _remove_stranger(self, command: RemoveVolume) -> None:
        hit = await self.drivers.probe(command.name)
        if hit is None and command.force:
            return
        if hit is None:
            error = errors.no_such_volume(command.name)
            raise errors.prefixed(f"get {command.name}", error)
        try:
            await hit[0].remove(command.name)
        except errdefs.Error as error:
            raise errors.prefixed(f"remove {command.name}", error) from error


def _reply(position: Position, volume: Volume | None = None) -> VolumeReply:
    return VolumeReply(epoch=position.epoch, revision=position.revision, volume=volume)
