"""What a node leaves on the machine, looked up in the kernel, and cleared away if need be."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.demo import processes, screen
from deploy.demo.processes import Process

_CGROUPS = Path("/sys/fs/cgroup")
_UMOUNT_LIMIT_S = 10
#: Whoever is killed may have been started again by one that is killed after it.
_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """All that is left of a node."""

    processes: tuple[Process, ...]
    mounts: tuple[str, ...]
    cgroups: tuple[str, ...]
    sockets: tuple[str, ...]

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.processes or self.mounts or self.cgroups or self.sockets)

    def __str__(self) -> str:
        running = (f"process {p.pid} ({p.title})" for p in self.processes)
        return ", ".join((*running, *self.mounts, *self.cgroups, *self.sockets))


def find(folder: Path, cgroup: str) -> Leftovers:
    """Return what is left of the node that lived in *folder* and *cgroup*."""
    running = {*processes.using(folder), *processes.in_cgroup(cgroup)}
    return Leftovers(
        processes=tuple(sorted(running)),
        mounts=tuple(mounts_below(folder)),
        cgroups=tuple(str(path) for path in cgroups(cgroup)),
        sockets=tuple(_sockets_below(folder)),
    )


@contextlib.contextmanager
def cleared(folder: Path, cgroup: str) -> Iterator[None]:
    """Leave nothing of the node behind, its folder neither, however the block ends."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # half a clean-up is worse than a late end
        _clear(folder, cgroup)
        if mounts := mounts_below(folder):
            # Deleting through a mount would delete what is somebody else's.
            screen.failure(f"{folder} is kept, as these are still mounted: {', '.join(mounts)}")
        else:
            shutil.rmtree(folder)


def _clear(folder: Path, cgroup: str) -> None:
    for _ in range(_ROUNDS):
        running = find(folder, cgroup).processes
        if not running:
            break
        processes.kill(running)
    for mount in sorted(mounts_below(folder), key=len, reverse=True):
        # What it says is not shown: a mount may be gone with its peer, and what stays is told.
        subprocess.run(["umount", mount], check=False, capture_output=True, timeout=_UMOUNT_LIMIT_S)
    for path in cgroups(cgroup):
        with contextlib.suppress(OSError):  # seen and told by who asks for leftovers next
            path.rmdir()


def mounts_below(folder: Path) -> list[str]:
    """Return the mount points at and below *folder*."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (line.split()[4] for line in lines)
    return [point for point in points if Path(point).is_relative_to(folder)]


def cgroups(cgroup: str) -> list[Path]:
    """Return the folders of a cgroup in every hierarchy, deepest first."""
    tops = {_CGROUPS / cgroup.lstrip("/")}
    tops |= {hierarchy / cgroup.lstrip("/") for hierarchy in _CGROUPS.iterdir()}
    found = (Path(path) for top in tops for path, _, _ in os.walk(top))
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def _sockets_below(folder: Path) -> list[str]:
    lines = Path("/proc/net/unix").read_text().splitlines()[1:]
    paths = {line.split(maxsplit=7)[7] for line in lines if line.count("/")}
    return sorted(path for path in paths if path.startswith(f"{folder}/"))
