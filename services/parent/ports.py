"""What the supervision needs of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.parent.domain.ending import Ending
from shared.node.lock import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """What happened while the parent waited."""

    told_to_stop: bool = False
    ended: tuple[Ending, ...] = ()


class Unit(Protocol):
    """Something that is to run always."""

    @property
    def name(self) -> str:
        """The name in logs, and of its lock."""

    def start(self, failures: int) -> int:
        """Start it and return its pid; raises OSError.

        *failures* is how often in a row it did not last.
        """


class Processes(Protocol):
    """Processes of this host, our children or not."""

    def watch(self, pid: int) -> bool:
        """Begin to watch a process; return whether it is there. A repeat does nothing."""

    def forget(self, pid: int) -> None:
        """Stop watching a process."""

    def wait(self, timeout_s: float | None) -> Wakeup:
        """Return when a watched process ended, a signal says stop, or the time is up."""

    def end(self, pid: int, grace_s: float) -> Ending | None:
        """Send SIGTERM, after *grace_s* SIGKILL, to a watched process and wait for its end.

        Returns None for a process that outlived both.
        """


class Locks(Protocol):
    """The lock files that say what runs on the node."""

    def holder(self, name: str) -> Holder | None:
        """Return the lock's holder as it described itself; None when nobody holds it."""

    def is_holder(self, name: str, pid: int) -> bool:
        """Tell whether this host's process *pid* has the lock's file open."""
