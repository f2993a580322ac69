"""A lock file per service: two of a kind never run, and the kernel unlocks when one dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from shared import errdefs
from shared.version import VERSION

#: In the environment of what a parent has forked.
FORKED = "WHERRY_FORKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds a lock, as it described itself."""

    pid: int
    version: str
    started_at_ns: int
    #: Whether a parent started it; another supervisor's process is not for parents to end.
    is_forked: bool = True


class ServiceLock:
    """An exclusive flock on a file that tells who holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock for the life of this process; raises Conflict naming the holder."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not _flock(fd, fcntl.LOCK_EX):
            # Who looks at a lock shares it for a moment; only a holder keeps others from that.
            if _flock(fd, fcntl.LOCK_SH):
                continue
            os.close(fd)
            holder = read_holder(self._path)
            pid = holder.pid if holder else "unknown"
            raise errdefs.Conflict(
                f"{self._path.stem} already runs here as process {pid} (lock {self._path}); "
                "stop it first, or give this node other folders"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, _description(), 0)
        self._fd = fd

    def outlast_exec(self) -> None:
        """Leave the lock to the program that this process becomes."""
        if self._fd is not None:
            os.set_inheritable(self._fd, True)  # noqa: FBT003 - the signature is Python's

    def release(self) -> None:
        """Let the lock go; the file stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_holder(path: Path) -> Holder | None:
    """Return who holds the lock at *path*, or None when nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _flock(fd, fcntl.LOCK_SH) else _described(fd)
    finally:
        os.close(fd)


def _flock(fd: int, kind: int) -> bool:
    """Take a lock if that needs no waiting; return whether it was taken."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _description() -> bytes:
    said = {
        "pid": os.getpid(),
        "version": VERSION,
        "started_at_ns": time.time_ns(),
        "is_forked": FORKED in os.environ,
    }
    return json.dumps(said).encode()


def _described(fd: int) -> Holder | None:
    try:
        description = json.loads(os.pread(fd, 4096, 0))
        return Holder(
            pid=int(description["pid"]),
            version=str(description["version"]),
            started_at_ns=int(description["started_at_ns"]),
            is_forked=bool(description.get("is_forked", True)),  # one of before did not say
        )
    except (ValueError, KeyError):
        return None  # taken a moment ago, not described yet
