"""Volumes: asked of the volume service, which alone knows them."""

from __future__ import annotations

from typing import Final

from services.gateway import ports
from services.gateway.domain.volume_filter import VolumeFilter
from shared.contracts.event import FeedPosition
from shared.contracts.volume import (
    CreateVolume,
    GetUsage,
    GetVolume,
    GetVolumePath,
    ListMounts,
    ListVolumes,
    MountList,
    MountVolume,
    PruneVolumes,
    ReleaseNode,
    RemoveVolume,
    UnmountVolume,
    UsageReport,
    Volume,
    VolumeList,
    VolumesPruned,
)
from shared.idempotency.key import message_id

#: Beside what a driver may take: messages, leases, the queue behind other verbs on the volume.
_MARGIN_S: Final = 60.0
#: A large tree of files to be measured, or many to be removed.
_SPACE_LIMIT_S: Final = 600.0
_RELEASE_LIMIT_S: Final = 15.0
_SOURCE: Final = "volume"


class Volumes:
    """Sends commands, and remembers how far the service had come when it answered.

    All raise what the service answers; Unavailable and DeadlineExceeded when it does not.
    """

    def __init__(
        self,
        *,
        sender: ports.Sender,
        create_timeout_s: float,
        call_timeout_s: float,
        list_timeout_s: float,
    ) -> None:
        """Take the seconds that drivers are granted."""
        self._sender = sender
        # A volume is asked for before it is made, and a driver for its scope.
        self._create_limit_s = create_timeout_s + 2 * call_timeout_s + _MARGIN_S
        self._call_limit_s = 2 * call_timeout_s + _MARGIN_S
        self._list_limit_s = 3 * list_timeout_s + _MARGIN_S
        self._newest: FeedPosition | None = None

    @property
    def reached(self) -> tuple[FeedPosition, ...]:
        """Return what clients have been told of: its events may not be missing any more."""
        return (self._newest,) if self._newest else ()

    async def create(self, command: CreateVolume) -> Volume:
        """Create a volume, or return the one that is there."""
        reply = await self._sender.send(command, timeout_s=self._create_limit_s)
        self._note(reply.epoch, reply.revision)
        assert reply.volume is not None
        return reply.volume

    async def get(self, name: str) -> Volume:
        """Return a volume."""
        found = await self._sender.send(GetVolume(name=name), timeout_s=self._call_limit_s)
        return found.volume

    async def list(self, wanted: VolumeFilter) -> VolumeList:
        """Return the volumes that pass a filter."""
        command = ListVolumes(drivers=wanted.drivers)
        listed = await self._sender.send(command, timeout_s=self._list_limit_s)
        passing = tuple(volume for volume in listed.volumes if wanted.matches(volume))
        return listed.model_copy(update={"volumes": passing})

    async def remove(self, name: str, *, force: bool) -> None:
        """Remove a volume."""
        command = RemoveVolume(name=name, force=force)
        reply = await self._sender.send(command, timeout_s=self._call_limit_s)
        self._note(reply.epoch, reply.revision)

    async def prune(self, command: PruneVolumes) -> VolumesPruned:
        """Remove what nobody uses."""
        pruned = await self._sender.send(command, timeout_s=_SPACE_LIMIT_S)
        self._note(pruned.epoch, pruned.revision)
        return pruned

    async def usage(self) -> UsageReport:
        """Measure local volumes."""
        return await self._sender.send(GetUsage(), timeout_s=_SPACE_LIMIT_S)

    async def mount(self, name: str, owner: str) -> str:
        """Mount a volume for an owner and return where."""
        command = MountVolume(name=name, owner=owner)
        mounted = await self._sender.send(
            command, timeout_s=self._create_limit_s, message_id=message_id(command)
        )
        return mounted.mountpoint

    async def unmount(self, name: str, owner: str) -> None:
        """End an owner's mount."""
        command = UnmountVolume(name=name, owner=owner)
        await self._sender.send(
            command, timeout_s=self._call_limit_s, message_id=message_id(command)
        )

    async def mounts(self, name: str) -> MountList:
        """Return who has a volume mounted."""
        return await self._sender.send(ListMounts(name=name), timeout_s=self._call_limit_s)

    async def path(self, name: str) -> str:
        """Return where a volume is on the host."""
        command = GetVolumePath(name=name)
        return (await self._sender.send(command, timeout_s=self._call_limit_s)).mountpoint

    async def release_node(self) -> None:
        """End all mounts of the node."""
        command = ReleaseNode()
        await self._sender.send(command, timeout_s=_RELEASE_LIMIT_S, message_id=message_id(command))

    def _note(self, epoch: str, revision: int) -> None:
        known = self._newest
        if known is None or known.epoch != epoch or known.revision < revision:
            self._newest = FeedPosition(source=_SOURCE, epoch=epoch, revision=revision)
