"""Decisions over a mount table."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPoint:
    """One line of /proc/self/mountinfo, as far as anybody here asks."""

    mount_id: int
    parent_id: int
    device: str
    #: Which folder of its file system is mounted.
    root: PurePath
    path: PurePath
    shared: bool
    filesystem: str
    #: A device, or whatever was named in its place.
    source: str = ""
    #: Options of the file system itself: for a cgroup hierarchy, its controllers.
    super_options: frozenset[str] = frozenset()


def parse(mountinfo: str) -> list[MountPoint]:
    """Return the mounts in the order in which they were made; follows proc(5)."""
    return [_parse_line(line) for line in mountinfo.splitlines() if line]


# The table is read several times for each container, and is nearly the same each time.
@functools.lru_cache(maxsize=4096)
def _parse_line(line: str) -> MountPoint:
    mount, _, filesystem = line.partition(" - ")
    fields = mount.split(" ")
    filesystem_fields = filesystem.split(" ")
    return MountPoint(
        mount_id=int(fields[0]),
        parent_id=int(fields[1]),
        device=fields[2],
        root=PurePath(_unescape(fields[3])),
        path=PurePath(_unescape(fields[4])),
        shared=any(field.startswith("shared:") for field in fields[6:]),
        filesystem=filesystem_fields[0],
        source=_unescape(filesystem_fields[1]) if len(filesystem_fields) > 1 else "",
        super_options=frozenset(filesystem_fields[-1].split(",")),
    )


def _unescape(text: str) -> str:
    return (
        _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
        .encode("latin-1", "surrogateescape")
        .decode("utf-8", "surrogateescape")
        if "\\" in text
        else text
    )


def is_within(path: PurePath, above: PurePath) -> bool:
    """Tell whether a path is another, or lies below it, as is_relative_to does at thrice the cost.

    A table has a line or more for each plugin that runs.
    """
    parts = above.parts
    return path.parts[: len(parts)] == parts


def at(mounts: Sequence[MountPoint], path: PurePath) -> MountPoint | None:
    """Return the mount that is seen at exactly *path*: the last one made there."""
    return next((mount for mount in reversed(mounts) if mount.path == path), None)


def deepest_first(mounts: Iterable[MountPoint], path: PurePath) -> list[MountPoint]:
    """Return the mounts at and below *path* in the order to unmount them.

    Never `umount -R`: that one unmounts what it can before it reports that something is busy.
    """
    below = [mount for mount in mounts if is_within(mount.path, path)]
    below.reverse()  # of several mounts at one path, the last one made lies on top
    return sorted(below, key=lambda mount: -len(mount.path.parts))


def is_bind_on_itself(mounts: Iterable[MountPoint], mount: MountPoint) -> bool:
    """Tell whether *mount* shows what its parent would show there without it."""
    parent = next((other for other in mounts if other.mount_id == mount.parent_id), None)
    if parent is None or parent.device != mount.device:
        return False
    return mount.root == parent.root / mount.path.relative_to(parent.path)
