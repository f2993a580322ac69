"""Cgroups in every hierarchy: version 1, version 2, and both at once ("hybrid")."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog

from services.executor.adapters.pidfd import identify
from services.executor.domain import cgroup_figures, mount_table
from services.executor.domain.layout import SUPERVISORS, Layout
from services.executor.domain.mount_table import MountPoint
from services.executor.domain.record import Process
from shared import errdefs
from shared.contracts.executor import ContainerFigures

#: How the cgroups of execs begin, below their container's.
_EXEC = "exec-"
#: A new cpuset takes no process before these are set.
_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
#: How often is looked for what still runs in a cgroup that is to go.
_MOST_ROUNDS = 20

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class HostCgroups:
    """ports.Cgroups."""

    layout: Layout

    def admit_supervisor(self, pid: int) -> None:
        """Move a supervisor out of our own cgroup, so that who stops us does not stop it.

        One that is gone is no error. Raises Unavailable.
        """
        for hierarchy in self._hierarchies:
            self._admit(pid, hierarchy)

    def admit_strays(self, container_id: str, pid: int) -> None:
        """Do the same with a container's processes where the runtime made no cgroup for them.

        A hierarchy that it does not know, say; raises Unavailable. *pid* is the first of them.
        """
        tops = zip(
            self._hierarchies, self._folders(self.layout.cgroup_of(container_id)), strict=True
        )
        unknown = [hierarchy for hierarchy, cgroup in tops if not cgroup.exists()]
        moved: set[int] = set()
        # Children that were made before their parent was moved are seen in the next round.
        while unknown and (left := {pid, *self._pids(container_id)} - moved):
            for each, hierarchy in itertools.product(left, unknown):
                self._admit(each, hierarchy)
            moved |= left

    def _admit(self, pid: int, hierarchy: Path) -> None:
        cgroup = hierarchy / self.layout.cgroup_of(SUPERVISORS).lstrip("/")
        try:
            with contextlib.suppress(ProcessLookupError):
                try:
                    _write_pid(cgroup, pid)
                except OSError as error:
                    # The first one of this node; or its making was cut short.
                    if error.errno not in {errno.ENOENT, errno.ENOSPC}:
                        raise
                    _make(hierarchy, cgroup)
                    _write_pid(cgroup, pid)
        except OSError as error:
            raise errdefs.Unavailable(
                f"cannot move a supervisor to {cgroup}: {error.strerror}; the executor runs "
                "as root and needs /sys/fs/cgroup writable"
            ) from error

    def is_frozen(self, container_id: str) -> bool:
        """Tell whether the container is paused."""
        hierarchy, name = self._freezer
        cgroup = hierarchy / self.layout.cgroup_of(container_id).lstrip("/")
        return _read(cgroup / name) in {"FROZEN", "FREEZING", "1"}

    def processes(self, container_id: str) -> list[Process]:
        """Return the processes in the container's cgroups, and in those below."""
        found = (identify(pid) for pid in sorted(self._pids(container_id)))
        return [process for process in found if process is not None]

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Tell whether the kernel killed one of the container's processes for want of memory."""
        hierarchy, name = self._memory
        cgroup = hierarchy / self.layout.cgroup_of(container_id).lstrip("/")
        return cgroup_figures.tells_of_kills(_read(cgroup / name))

    def make_exec(self, container_id: str, exec_id: str) -> str:
        """Make a cgroup below the container's, and return its name there."""
        name = f"{_EXEC}{exec_id}"
        for hierarchy in self._hierarchies:
            above = hierarchy / self.layout.cgroup_of(container_id).lstrip("/")
            if above.exists():
                (above / name).mkdir(exist_ok=True)
                for setting in _CPUSET_FILES:
                    _inherit(hierarchy, above / name, setting)
        return name

    def exec_processes(self, container_id: str, exec_id: str = "*") -> list[Process]:
        """Return the processes in an exec's cgroup, or in those of all execs of a container."""
        files = (
            below / "cgroup.procs"
            for above in self._folders(self.layout.cgroup_of(container_id))
            for below in above.glob(f"{_EXEC}{exec_id}")
        )
        pids = {int(pid) for file in files for pid in _read(file).split()}
        found = (identify(pid) for pid in sorted(pids))
        return [process for process in found if process is not None]

    def dissolve_execs(self, container_id: str, exec_id: str = "*") -> None:
        """Move what runs in an exec's cgroup to the container's own, and remove it.

        One with a process that can't be moved stays, until the container is removed.
        """
        for above in self._folders(self.layout.cgroup_of(container_id)):
            for below in above.glob(f"{_EXEC}{exec_id}"):
                _move_up(below)
                try:
                    _rmdir(below)
                except errdefs.Conflict as error:
                    log.warning("cgroup of an exec left", reason=error.message)

    def figures(self, container_id: str, now_ns: int) -> ContainerFigures:
        """Return what the container uses; all zero once its cgroups are gone."""
        folders = self._folders(self.layout.cgroup_of(container_id))

        def read(name: str) -> str:
            return "\n".join(filter(None, (_read(folder / name) for folder in folders)))

        return cgroup_figures.build(container_id, now_ns, read, cgroup_figures.read_host(_proc))

    def remove(self, container_id: str) -> None:
        """Remove the container's cgroups; none there is success."""
        self._remove(self.layout.cgroup_of(container_id))

    def remove_all(self) -> None:
        """Remove the node's cgroups; raises Conflict when processes are left in one."""
        self._remove(self.layout.cgroup)
        for hierarchy in self._hierarchies:
            # Another node of this machine may have its cgroups beside ours.
            with contextlib.suppress(OSError):
                (hierarchy / "wherry").rmdir()

    def _pids(self, container_id: str) -> set[int]:
        tops = self._folders(self.layout.cgroup_of(container_id))
        files = [cgroup / "cgroup.procs" for top in tops for cgroup in _deepest_first(top)]
        return {int(pid) for file in files for pid in _read(file).split()}

    def _remove(self, path: str) -> None:
        for top in self._folders(path):
            for cgroup in _deepest_first(top):
                _rmdir(cgroup)

    def _folders(self, path: str) -> list[Path]:
        return [hierarchy / path.lstrip("/") for hierarchy in self._hierarchies]

    @cached_property
    def _hierarchies(self) -> list[Path]:
        return [Path(mount.path) for mount in _mounts()]

    @cached_property
    def _freezer(self) -> tuple[Path, str]:
        for mount in _mounts():
            if "freezer" in mount.super_options:
                return Path(mount.path), "freezer.state"
        return self._hierarchies[-1], "cgroup.freeze"

    @cached_property
    def _memory(self) -> tuple[Path, str]:
        for mount in _mounts():
            if "memory" in mount.super_options:
                return Path(mount.path), "memory.oom_control"
        return self._hierarchies[-1], "memory.events"


def _mounts() -> list[MountPoint]:
    table = mount_table.parse(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    return [mount for mount in table if mount.filesystem in {"cgroup", "cgroup2"}]


def _write_pid(cgroup: Path, pid: int) -> None:
    """Move a process to a cgroup."""
    file = os.open(f"{cgroup}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, b"%d" % pid)
    finally:
        os.close(file)


def _move_up(cgroup: Path) -> None:
    """Move the processes of a cgroup to the one above it."""
    # More than once, as they fork meanwhile. The kernel moves none whose first thread has ended
    # while others run: that one would be found for ever.
    for _ in range(_MOST_ROUNDS):
        pids = _read(cgroup / "cgroup.procs").split()
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                _write_pid(cgroup.parent, int(pid))


def _make(hierarchy: Path, cgroup: Path) -> None:
    """Make a cgroup that takes processes."""
    cgroup.mkdir(parents=True, exist_ok=True)
    for name in _CPUSET_FILES:
        _inherit(hierarchy, cgroup, name)


def _inherit(hierarchy: Path, cgroup: Path, name: str) -> None:
    """Copy a cpuset's setting down from the root to *cgroup* where it is still empty."""
    if not (hierarchy / name).exists():
        return
    above = hierarchy
    for part in cgroup.relative_to(hierarchy).parts:
        below = above / part
        if not _read(below / name):
            (below / name).write_text(_read(above / name))
        above = below


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # not of this hierarchy, or its cgroup is gone


def _proc(name: str) -> str:
    return (Path("/proc") / name).read_text()


def _deepest_first(cgroup: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        for child in cgroup.iterdir():
            if child.is_dir():
                yield from _deepest_first(child)
        yield cgroup


def _rmdir(cgroup: Path) -> None:
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        pids = _read(cgroup / "cgroup.procs").split()
        raise errdefs.Conflict(
            f"cgroup {cgroup} still has processes {', '.join(pids)}; end them and try again",
            detail={"cgroup": str(cgroup), "pids": pids},
        ) from error
