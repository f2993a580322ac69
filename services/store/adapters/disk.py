"""What makes files durable, and what a full disk is called."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import errdefs

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

_libc = ctypes.CDLL(None, use_errno=True)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def sync_file(path: Path) -> None:
    """Force a file, or a folder's entries, to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def exchange(first: Path, second: Path) -> None:
    """Let two paths of one file system change places in one step (renameat2(2))."""
    names = os.fsencode(first), os.fsencode(second)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(first), None, str(second))


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
