"""What an earlier parent left running: adopted, or ended before it is started anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from services.parent.ports import Locks, Processes
from shared import errdefs

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """Looks at locks, and takes over from who holds one and is not our child."""

    #: Tells of a unit that runs already whether to keep it as it is.
    adopts: Callable[[str], bool]
    locks: Locks
    processes: Processes
    #: Seconds between SIGTERM and SIGKILL.
    grace_s: float

    def all(self, names: Iterable[str]) -> dict[str, int]:
        """Do so for each of these in turn; return those that were adopted, and their processes."""
        found = ((name, self.one(name)) for name in names)
        return {name: pid for name, pid in found if pid is not None}

    def one(self, name: str) -> int | None:
        """Adopt or end the holder of a lock; return the watched process if it was adopted.

        Raises Conflict when it is not ours to end, or cannot be ended. A child of ours must not
        hold the lock: it would be ended.
        """
        pid = self._holder(name)
        if pid is None:
            return None
        if self.adopts(name):
            log.info("adopted", unit=name, pid=pid)
            return pid
        log.info("ending what an earlier parent left", unit=name, pid=pid)
        self._end(name, pid)
        return None

    def _holder(self, name: str) -> int | None:
        """Return the holder, watched; raises Conflict when no parent of this host started it."""
        holder = self.locks.holder(name)
        if holder is None:
            return None
        if self._is_here(name, holder.pid):
            if holder.is_forked:
                return holder.pid
            self.processes.forget(holder.pid)
            raise errdefs.Conflict(
                f"{name} already runs as process {holder.pid}, which no parent started: stop it "
                f"where it was started (systemctl stop wherry-{name}?), or give this node other "
                "folders"
            )
        if self.locks.holder(name) is None:
            return None  # it has just ended by itself
        raise errdefs.Conflict(
            f"{name} already runs, says its lock, as process {holder.pid}, which is none of this "
            "host's: stop it where it runs (another container?), or give this node other folders"
        )

    def _is_here(self, name: str, pid: int) -> bool:
        """Tell whether the holder is a process of this host, and watch it if it is."""
        # Before: a pid of another container may here be that of a child, which stays watched.
        if not (self.locks.is_holder(name, pid) and self.processes.watch(pid)):
            return False
        # And after: from here on the pid can't come to mean another process.
        if self.locks.is_holder(name, pid):
            return True
        self.processes.forget(pid)
        return False

    def _end(self, name: str, pid: int) -> None:
        if self.processes.end(pid, self.grace_s) is None:
            raise errdefs.Conflict(
                f"{name} runs as process {pid}, left by an earlier parent, and does not end, not "
                f"even by SIGKILL; look at /proc/{pid}/stack for what it waits for, then try again"
            )
