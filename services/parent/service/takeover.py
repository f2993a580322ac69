"""What an earlier parent left running: adopted, or ended before it is started anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from services.parent.ports import Locks, Processes
from shared import errdefs

log = structlog.get_logger()


def take_over(
    names: Iterable[str],
    *,
    adopts: Callable[[str], bool],
    locks: Locks,
    processes: Processes,
    grace_s: float,
) -> dict[str, int]:
    """Look for the holders of these locks in turn and end them, but for those *adopts* wants.

    Returns the watched processes that were adopted, by name. Raises Conflict when one cannot be
    ended.
    """
    adopted: dict[str, int] = {}
    for name in names:
        pid = _holder(name, locks, processes)
        if pid is None:
            continue
        if adopts(name):
            log.info("adopted", unit=name, pid=pid)
            adopted[name] = pid
        else:
            log.info("ending what an earlier parent left", unit=name, pid=pid)
            _end(name, pid, processes, grace_s)
    return adopted


def _holder(name: str, locks: Locks, processes: Processes) -> int | None:
    """Return the holder, watched; raises Conflict when it is none of this host's processes."""
    pid = locks.holder(name)
    if pid is None:
        return None
    # Looked at after the watch began: from here on the pid can't come to mean another process.
    if processes.watch(pid) and locks.is_holder(name, pid):
        return pid
    processes.forget(pid)
    if locks.holder(name) is None:
        return None  # it has just ended by itself
    raise errdefs.Conflict(
        f"{name} already runs, says its lock, as process {pid}, which is none of this host's: "
        "stop it where it runs (another container?), or give this node other folders"
    )


def _end(name: str, pid: int, processes: Processes, grace_s: float) -> None:
    if processes.end(pid, grace_s) is None:
        raise errdefs.Conflict(
            f"{name} runs as process {pid}, left by an earlier parent, and does not end, not even "
            f"by SIGKILL; look at /proc/{pid}/stack for what it waits for, then try again"
        )
