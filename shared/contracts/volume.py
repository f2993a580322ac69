"""Messages of the volume service: volumes by name, whoever's driver keeps them."""

from typing import Any, ClassVar

from pydantic import Field

from shared.contracts.message import Command, Done, Message, Value
from shared.contracts.store import Fact

#: The driver that is built in.
LOCAL = "local"


class Volume(Value):
    """A volume as its record and its driver show it."""

    name: str
    driver: str
    #: `local` or `global`.
    scope: str = "local"
    #: Where its driver says that it is; empty: it did not say.
    mountpoint: str = ""
    #: None: its driver did not say.
    created_at_ns: int | None = None
    #: None: nobody gave any.
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    #: What a plugin tells of it besides.
    status: dict[str, Any] = Field(default_factory=dict)
    #: Who has it mounted.
    holders: tuple[str, ...] = ()


class VolumesChanged(Message):
    """What happened to volumes; revisions are dense within an epoch."""

    TYPE: ClassVar[str] = "volume.volume.changed.v1"

    epoch: str
    revision: int
    facts: tuple[Fact, ...]


class VolumeReply(Message):
    """The reply to a verb: the volume, where one is left, and the revision reached."""

    TYPE: ClassVar[str] = "volume.volume.reply.v1"

    epoch: str
    revision: int
    volume: Volume | None = None


class CreateVolume(Command[VolumeReply]):
    """Create a volume, or return the one that its driver has by this name already."""

    TYPE: ClassVar[str] = "volume.volume.create.v1"

    name: str
    #: Empty: the driver that has a volume of this name, else `local`.
    driver: str = ""
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class RemoveVolume(Command[VolumeReply]):
    """Remove a volume that nobody has mounted; *force* forgets one that its driver has lost."""

    TYPE: ClassVar[str] = "volume.volume.remove.v1"

    name: str
    force: bool = False


class VolumeFound(Message):
    """The reply to GetVolume."""

    TYPE: ClassVar[str] = "volume.volume.found.v1"

    volume: Volume


class GetVolume(Command[VolumeFound]):
    """Show a volume, as its driver has it now."""

    TYPE: ClassVar[str] = "volume.volume.get.v1"

    name: str


class VolumeList(Message):
    """All volumes by name, and which drivers could not be asked."""

    TYPE: ClassVar[str] = "volume.volume.listed.v1"

    volumes: tuple[Volume, ...]
    warnings: tuple[str, ...] = ()


class ListVolumes(Command[VolumeList]):
    """Ask drivers for their volumes, all drivers where none is named."""

    TYPE: ClassVar[str] = "volume.volume.list.v1"

    drivers: tuple[str, ...] = ()


class VolumesPruned(Message):
    """What a prune removed."""

    TYPE: ClassVar[str] = "volume.volume.pruned.v1"

    epoch: str
    revision: int
    names: tuple[str, ...]
    reclaimed_bytes: int


class PruneVolumes(Command[VolumesPruned]):
    """Remove the local volumes without mount options that nobody uses.

    Labels are `key` or `key=value`; all *labels* must be there, and not all of *without_labels*.
    """

    TYPE: ClassVar[str] = "volume.volume.prune.v1"

    labels: tuple[str, ...] = ()
    without_labels: tuple[str, ...] = ()


class VolumeUsage(Value):
    """A local volume and what its files take; -1 where that could not be told."""

    volume: Volume
    size_bytes: int


class UsageReport(Message):
    """What local volumes without mount options take on the disk."""

    TYPE: ClassVar[str] = "volume.usage.report.v1"

    volumes: tuple[VolumeUsage, ...]


class GetUsage(Command[UsageReport]):
    """Measure the local volumes."""

    TYPE: ClassVar[str] = "volume.usage.get.v1"


class Mounted(Message):
    """Where a mounted volume is on the host."""

    TYPE: ClassVar[str] = "volume.mount.acquired.v1"

    mountpoint: str


class MountVolume(Command[Mounted]):
    """Mount a volume for an owner; a repeat by the same owner returns the same place."""

    TYPE: ClassVar[str] = "volume.mount.acquire.v1"

    name: str
    #: Free text without a slash; it is the id that a plugin is told.
    owner: str


class UnmountVolume(Command[Done]):
    """End an owner's mount; one that there is not is fine."""

    TYPE: ClassVar[str] = "volume.mount.release.v1"

    name: str
    owner: str


class VolumePath(Message):
    """Where a volume is on the host."""

    TYPE: ClassVar[str] = "volume.path.found.v1"

    mountpoint: str


class GetVolumePath(Command[VolumePath]):
    """Ask a volume's driver where it is, mounted or not."""

    TYPE: ClassVar[str] = "volume.path.get.v1"

    name: str


class Mount(Value):
    """One owner's mount of a volume."""

    owner: str
    mountpoint: str
    since_ns: int


class MountList(Message):
    """Who has a volume mounted, and where."""

    TYPE: ClassVar[str] = "volume.mount.listed.v1"

    mounts: tuple[Mount, ...]


class ListMounts(Command[MountList]):
    """Ask who has a volume mounted."""

    TYPE: ClassVar[str] = "volume.mount.list.v1"

    name: str


class ReleaseNode(Command[Done]):
    """End all mounts of the node before it is shut down; a repeat is fine."""

    TYPE: ClassVar[str] = "volume.node.release.v1"
