"""A file system that passes everything on to a folder, unless it is told to fail or to be slow.

`python -m tests.support.storm.faulty_fs FOLDER MOUNTPOINT CONTROL`; CONTROL is a file of JSON with
`error` (a name such as EIO, or empty), `share` (of calls that fail), `sync_s` and, if only some are
meant, the names of `calls`.
"""

from __future__ import annotations

import errno
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import mfusepy

R = TypeVar("R")
P = ParamSpec("P")


def _may_fail(
    call: Callable[Concatenate[FaultyFolder, P], R],
) -> Callable[Concatenate[FaultyFolder, P], R]:
    def failing(folder: FaultyFolder, /, *args: P.args, **kwargs: P.kwargs) -> R:
        folder.fail(call.__name__)
        return call(folder, *args, **kwargs)

    return failing


class FaultyFolder(mfusepy.Operations):  # type: ignore[misc] # it ships no types
    """The calls that SQLite and a service's start make."""

    use_ns = True

    def __init__(self, folder: Path, control: Path) -> None:
        self._folder = folder
        self._control = control

    def fail(self, call: str) -> None:
        """Fail as told, or take long, or do nothing."""
        try:
            told = json.loads(self._control.read_text())
        except (FileNotFoundError, ValueError):
            return
        if call == "fsync":
            time.sleep(told["sync_s"])
        is_meant = told["error"] and (call != "read" or told["error"] == "EIO")
        is_meant = is_meant and call in told.get("calls", (call,))
        if is_meant and random.random() < told["share"]:
            raise mfusepy.FuseOSError(getattr(errno, told["error"]))

    def _real(self, path: str) -> Path:
        return self._folder / path.lstrip("/")

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        found = os.lstat(self._real(path)) if fh is None else os.fstat(fh)
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino", "st_blocks")
        times = {f"st_{one}": getattr(found, f"st_{one}_ns") for one in ("atime", "ctime", "mtime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path: str, _fh: int) -> list[str]:
        return [".", "..", *(one.name for one in self._real(path).iterdir())]

    def access(self, path: str, amode: int) -> int:
        if not os.access(self._real(path), amode):
            raise mfusepy.FuseOSError(errno.EACCES)
        return 0

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags)

    @_may_fail
    def create(self, path: str, mode: int, _fi: Any = None) -> int:
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    @_may_fail
    def read(self, _path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    @_may_fail
    def write(self, _path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    @_may_fail
    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._real(path) if fh is None else fh, length)
        return 0

    @_may_fail
    def fsync(self, _path: str, _datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, _path: str, fh: int) -> int:
        os.close(fh)
        return 0

    @_may_fail
    def mkdir(self, path: str, mode: int) -> int:
        self._real(path).mkdir(mode)
        return 0

    @_may_fail
    def unlink(self, path: str) -> int:
        self._real(path).unlink()
        return 0

    @_may_fail
    def rename(self, old: str, new: str) -> int:
        self._real(old).rename(self._real(new))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._real(path).chmod(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._real(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int]) -> int:
        os.utime(self._real(path), ns=times)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._real(path))
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_files", "f_ffree", "f_frsize")
        return {name: getattr(found, name) for name in names}


def main() -> int:
    """Serve until it is unmounted."""
    folder, mountpoint, control = map(Path, sys.argv[1:])
    served = FaultyFolder(folder, control)
    # One thread: a slow sync holds up what comes behind it, as that of a disk does.
    mfusepy.FUSE(served, str(mountpoint), foreground=True, nothreads=True, allow_other=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
