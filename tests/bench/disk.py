"""A fresh ext4 file system in a file, so that both sides write to disks of one kind and one age.

Without it they would share a file system that has a history: on ext4 without a journal, say,
making files after mass deletes costs twenty times as much.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.bench.failure import BenchFailed

#: Of each; taken in full at once, so that no side runs into a full disk half-way.
SIZE_BYTES = 4 * 1024**3
KIND = f"ext4 with a journal, {SIZE_BYTES // 1024**3} GiB, in a file on a loop device"

#: Otherwise the kernel goes on writing tables for minutes after the mount.
_WHOLE = "lazy_itable_init=0,lazy_journal_init=0"


def mount_fresh(at: Path) -> None:
    """Mount a fresh file system at *at*, a new folder; `umount` ends it, its loop device too."""
    image = at.with_name(f"{at.name}.img")
    at.mkdir()
    _allocate(image)
    _run("mkfs.ext4", "-q", "-F", "-E", _WHOLE, str(image))
    _run("mount", "-o", "loop,noatime", str(image), str(at))


def mount_memory(at: Path) -> None:
    """Mount a tmpfs at *at*, a new folder, as /run is one."""
    at.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "bench", str(at))


def _allocate(image: Path) -> None:
    with image.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, SIZE_BYTES)
        except OSError as error:
            raise BenchFailed(
                f"cannot make a disk of {SIZE_BYTES} bytes in {image.parent}: {error.strerror}; "
                "make room there and try again"
            ) from error


def _run(*argv: str) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise BenchFailed(
            f"{' '.join(argv)}: {done.stderr.strip()}; root and loop devices are needed"
        )
