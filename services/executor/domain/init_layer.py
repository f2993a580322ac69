"""What a root file system must have before runc mounts over it; follows Docker's init layer."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What stands at a path."""

    FOLDER = "folder"
    FILE = "file"
    LINK = "link"


#: In-root paths, what stands there, and where a link points.
ENTRIES: tuple[tuple[str, Kind, str], ...] = (
    ("dev/pts", Kind.FOLDER, ""),
    ("dev/shm", Kind.FOLDER, ""),
    ("proc", Kind.FOLDER, ""),
    ("sys", Kind.FOLDER, ""),
    (".dockerenv", Kind.FILE, ""),
    ("etc/resolv.conf", Kind.FILE, ""),
    ("etc/hosts", Kind.FILE, ""),
    ("etc/hostname", Kind.FILE, ""),
    ("dev/console", Kind.FILE, ""),
    ("etc/mtab", Kind.LINK, "/proc/mounts"),
)
