"""What of the host is Wherry's own, and refused to containers whoever grants it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from services.executor.domain import mount_table, own_places
from services.executor.domain.mount_table import MountPoint
from shared import errdefs
from shared.contracts.executor import ContainerMount
from shared.oci.devices import DeviceNode

#: What parts of an option of a mount may be paths: `lowerdir=/a:/b`.
_SEPARATORS: Final = re.compile(r"[=:,]")

#: Of mounts whose own mounts reach the host.
_SENT_BACK: Final = frozenset({"shared", "rshared"})

#: Major and minor number.
Number = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlaces:
    """Sockets, databases and keys, and the disks that hold them."""

    own: tuple[Path, ...]
    #: Below them, and meant for plugins.
    open_to_all: tuple[Path, ...] = ()
    #: Where the kernel shows block devices by their numbers.
    block_devices: Path = Path("/sys/dev/block")

    def refuse_mounts(
        self, mounts: Sequence[ContainerMount], bundle: Path
    ) -> tuple[tuple[ContainerMount, ...], tuple[str, ...]]:
        """Return the mounts, and what of them is to be hidden in the container.

        Links in sources are resolved, so that what is mounted is what was looked at; a source
        that is relative begins in the *bundle*. Raises PermissionDenied for a source that is, or
        lies in, what is Wherry's own; what shows it from above shows the rest.
        """
        table = _table()
        looked_at = [self._looked_at(mount, bundle, table) for mount in mounts]
        hidden = [path for mount in looked_at for path in self._hidden(mount, table)]
        return tuple(looked_at), tuple(hidden)

    def refuse_devices(self, devices: Sequence[DeviceNode]) -> None:
        """Raise PermissionDenied for a disk that holds what is Wherry's own."""
        blocks = [device for device in devices if device.type == "b"]
        disks = self.disks() if blocks else frozenset[Number]()
        for device in blocks:
            if (device.major, device.minor) in disks:
                raise errdefs.PermissionDenied(
                    f"device {device.path} is a disk that holds Wherry's own files: it is given to "
                    "no plugin, whoever grants it. Have the plugin use another device",
                    detail={"device": device.path},
                )

    def disks(self) -> frozenset[Number]:
        """Return the block devices, whole disks among them, that hold what is Wherry's own."""
        table = _table()
        found: set[Number] = set()
        for path in self._own():
            place = own_places.place_of(table, path)
            sources = {m.source for m in table if place and m.device == place.device}
            numbers = {_number(path.stat().st_dev)} if path.exists() else set[Number]()
            for number in numbers | {n for source in sources if (n := _block_device(source))}:
                found.update(_with_disks_below(number, self.block_devices))
        return frozenset(found)

    def _looked_at(
        self, mount: ContainerMount, bundle: Path, table: list[MountPoint]
    ) -> ContainerMount:
        if is_bind(mount):
            source = Path(os.path.realpath(bundle / mount.source))
            own = own_places.is_own(table, source, self._own(), _real(self.open_to_all))
            if own is not None:
                raise _refusal(mount.source, own)
            return mount.model_copy(update={"source": str(source)})
        # Others name paths, too: overlay in its options, a file system of a disk in its source.
        for path in _absolute(mount):
            found = Path(os.path.realpath(path))
            if self._is_own_disk(found) or own_places.below(table, found, self._own()):
                raise _refusal(path, self.own[0])
        return mount

    def _hidden(self, mount: ContainerMount, table: list[MountPoint]) -> list[str]:
        """Return where in the container something of Wherry's own would be seen."""
        if not is_bind(mount):
            return []
        places = own_places.below(table, Path(mount.source), self._own(), _real(self.open_to_all))
        if places and not _SENT_BACK.isdisjoint(mount.options):
            # What hides it in the container would hide it from the host.
            raise _refusal(mount.source, self.own[0])
        return [str(Path(mount.destination) / place) for place in places]

    def _is_own_disk(self, path: Path) -> bool:
        number = _block_device(str(path))
        return number is not None and number in self.disks()

    def _own(self) -> tuple[Path, ...]:
        return _real(self.own)


def is_bind(mount: ContainerMount) -> bool:
    """Tell whether a mount shows a folder or file of the host."""
    return mount.type == "bind" or not {"bind", "rbind"}.isdisjoint(mount.options)


def _refusal(path: str, own: PurePath) -> errdefs.PermissionDenied:
    return errdefs.PermissionDenied(
        f"mount source {path} would reach Wherry's own files in {own}: they are given to no "
        "plugin, whoever grants it. Set another source with `docker plugin set`, or ask the "
        "plugin's author",
        detail={"mount": path},
    )


def _real(paths: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(Path(os.path.realpath(path)) for path in paths)


def _table() -> list[MountPoint]:
    return mount_table.parse(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))


def _absolute(mount: ContainerMount) -> Iterator[str]:
    """Yield the absolute paths that a mount names, but for links that nobody can follow."""
    words = [mount.source, *(w for o in mount.options for w in _SEPARATORS.split(o))]
    yield from (word for word in words if word.startswith("/"))


def _block_device(path: str) -> Number | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return _number(found.st_rdev) if stat.S_ISBLK(found.st_mode) else None


def _number(device: int) -> Number:
    return os.major(device), os.minor(device)


def _with_disks_below(number: Number, devices: Path) -> Iterator[Number]:
    """Yield a block device, the disk that it is a part of, and what it is put together from."""
    entry = devices / f"{number[0]}:{number[1]}"
    if not entry.exists():
        return
    yield number
    folder = entry.resolve()
    below = list(folder.glob("slaves/*"))
    if (folder / "partition").exists():
        below.append(folder.parent)
    for one in below:
        major, _, minor = (one / "dev").read_text().strip().partition(":")
        yield from _with_disks_below((int(major), int(minor)), devices)
