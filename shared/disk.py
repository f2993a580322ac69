"""What makes files durable, and what a full disk is called."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared import errdefs

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def begin_writing(path: Path) -> None:
    """Have the kernel begin to write a file, which may be gone.

    Several that are synced after that take one commit of the file system's journal, not one each.
    """
    with suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # What is not written yet stays in memory.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def sync_file(path: Path) -> None:
    """Force a file, or a folder's entries, to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn an OSError into errdefs that say which disk, and what to do.

    Raises ResourceExhausted for a full disk or quota, Unavailable for a failing one.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise errdefs.ResourceExhausted(
                f"the disk that holds {folder} is full: free some room, then try again"
            ) from error
        if error.errno in (errno.EIO, errno.EROFS):
            raise errdefs.Unavailable(
                f"{folder} cannot be written ({error.strerror}): look at its disk"
            ) from error
        raise
