"""Who holds the locks of a node, told by the lock files and /proc."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from shared.node.config import NodeConfig
from shared.node.lock import Holder, read_holder


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFiles:
    """ports.Locks."""

    node: NodeConfig

    def holder(self, name: str) -> Holder | None:
        """Return the lock's holder as it described itself; None when nobody holds it."""
        return read_holder(self.node.lock_path(name))

    def is_holder(self, name: str, pid: int) -> bool:
        """Tell whether this host's process *pid* has the lock's file open.

        The pid alone proves nothing: it may be from another container, or that of a predecessor.
        """
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lock = self.node.lock_path(name)
            return any(_is_same(fd, lock) for fd in Path(f"/proc/{pid}/fd").iterdir())
        return False


def _is_same(fd: Path, lock: Path) -> bool:
    try:
        return fd.samefile(lock)
    except FileNotFoundError:
        return False  # closed meanwhile, or no file at all
