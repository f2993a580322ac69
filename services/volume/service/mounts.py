"""Volumes in use: mounted for an owner, and unmounted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

import structlog

from services.volume import ports
from services.volume.domain import errors
from services.volume.domain.record import Holder, Unit, VolumeRecord
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from services.volume.service.volumes import Volumes
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.message import Done
from shared.contracts.volume import (
    CreateVolume,
    GetVolumePath,
    ListMounts,
    Mount,
    Mounted,
    MountList,
    MountVolume,
    ReleaseNode,
    UnmountVolume,
    VolumePath,
)
from shared.tasks.lanes import Lanes

log = structlog.get_logger()

# No slash: volume and owner share one path in /wherry/v1.
_OWNER = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")
#: Seconds that one unmount may hold up the end of the node.
_LAST_UNMOUNT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """Who has what mounted; kept before the driver is called, so that nothing is forgotten."""

    catalog: Catalog
    drivers: Drivers
    volumes: Volumes
    lanes: Lanes
    clock: ports.Clock
    #: Identifies the boot: mounts of an earlier one are gone.
    boot_id: str

    async def mount(self, command: MountVolume, delivery: Delivery) -> Mounted:
        """Mount a volume for an owner; a repeat returns the same place."""
        _check_owner(command.owner)
        async with self.lanes.hold(command.name, delivery.deadline_ns):
            held = self.catalog.holder(command.name, command.owner)
            if held is None or not held.mountpoint:
                try:
                    held = await self._mount(await self._record(command.name), command.owner)
                except errdefs.Error as error:
                    raise errors.prefixed(f"mount {command.name}", error) from error
        return Mounted(mountpoint=held.mountpoint)

    async def unmount(self, command: UnmountVolume, delivery: Delivery) -> Done:
        """End an owner's mount; a repeat is fine."""
        async with self.lanes.hold(command.name, delivery.deadline_ns):
            held = self.catalog.holder(command.name, command.owner)
            if held is not None:
                try:
                    await self._unmount(held)
                except errdefs.Error as error:
                    raise errors.prefixed(f"unmount {command.name}", error) from error
        return Done()

    async def path(self, command: GetVolumePath, _delivery: Delivery) -> VolumePath:
        """Return where a volume is on the host, as its driver says it."""
        try:
            record = self.catalog.get(command.name)
            if record is None:
                raise errors.no_such_volume(command.name)
            driver = await self.drivers.find(record.driver)
            return VolumePath(mountpoint=await driver.path(command.name))
        except errdefs.Error as error:
            raise errors.prefixed(f"get {command.name}", error) from error

    async def list(self, command: ListMounts, _delivery: Delivery) -> MountList:
        """Return who has a volume mounted."""
        if self.catalog.get(command.name) is None:
            raise errors.prefixed(f"get {command.name}", errors.no_such_volume(command.name))
        held = self.catalog.holders(command.name)
        return MountList(
            mounts=tuple(
                Mount(owner=one.owner, mountpoint=one.mountpoint, since_ns=one.since_ns)
                for one in held
            )
        )

    async def release_node(self, _command: ReleaseNode, _delivery: Delivery) -> Done:
        """End all mounts, as well as that goes; a repeat is fine."""
        held = self.catalog.all_holders()
        names = {one.name for one in held}
        await asyncio.gather(*(self._release_all(name) for name in names))
        return Done()

    async def forget_earlier_boots(self) -> None:
        """Drop the mounts that ended with an earlier boot."""
        gone = tuple(one for one in self.catalog.all_holders() if one.boot_id != self.boot_id)
        if gone:
            await self.catalog.commit(Unit(let_go=gone))

    async def settle(self, name: str) -> None:
        """End mounts that a crash cut short; the caller holds the lane."""
        for held in self.catalog.holders(name):
            if not held.mountpoint:
                await self._unmount(held)

    async def _record(self, name: str) -> VolumeRecord:
        """Return the record of a volume that exists; one that only its driver knows is taken in."""
        if self.catalog.get(name) is None and await self.drivers.probe(name) is None:
            raise errors.no_such_volume(name)
        return await self.volumes.ensure(CreateVolume(name=name))

    async def _mount(self, record: VolumeRecord, owner: str) -> Holder:
        holder = Holder(name=record.name, owner=owner, since_ns=self.clock(), boot_id=self.boot_id)
        await self.catalog.commit(Unit(hold=holder))
        try:
            driver = await self.drivers.find(record.driver)
            mountpoint = await driver.mount(record.name, owner, record.options or {})
        except errdefs.Error:
            await self.catalog.commit(Unit(let_go=(holder,)))
            raise
        mounted = holder.model_copy(update={"mountpoint": mountpoint})
        await self.catalog.commit(Unit(hold=mounted))
        return mounted

    async def _unmount(self, held: Holder) -> None:
        record = self.catalog.get(held.name)
        is_last = len(self.catalog.holders(held.name)) == 1
        if record is not None:
            try:
                driver = await self.drivers.find(record.driver)
            except (errdefs.NotFound, errdefs.Conflict) as error:
                # Nobody is left who could unmount it, and its owner is done with it.
                log.warning("mount forgotten", volume=held.name, reason=error.message)
            else:
                await driver.unmount(held.name, held.owner, is_last=is_last)
        await self.catalog.commit(Unit(let_go=(held,)))

    async def _release_all(self, name: str) -> None:
        async with self.lanes.hold(name):
            for held in self.catalog.holders(name):
                await self._try_unmount(held)

    async def _try_unmount(self, held: Holder) -> None:
        try:
            async with asyncio.timeout(_LAST_UNMOUNT_S):
                await self._unmount(held)
        except (errdefs.Error, TimeoutError) as error:
            log.warning("not unmounted", volume=held.name, owner=held.owner, reason=str(error))


def _check_owner(owner: str) -> None:
    if not _OWNER.fullmatch(owner):
        raise errdefs.InvalidArgument(
            f"owner {owner!r} is invalid: must be 1 to 255 characters without a slash"
        )
