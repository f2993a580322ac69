"""Cgroups: what a side's processes and all their children, ended ones too, have used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TOP = Path("/sys/fs/cgroup")
#: A new cpuset takes no process before these are set.
_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroup:
    """A cgroup of this path in every hierarchy; it need not exist yet, and may be gone again."""

    #: Such as /wherry/node.
    path: str

    def make(self) -> None:
        """Make it; one that is there is fine."""
        for hierarchy in _hierarchies():
            folder = hierarchy
            for part in Path(self.path).parts[1:]:
                folder /= part
                folder.mkdir(exist_ok=True)
                _inherit_cpuset(folder)

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return the command line that runs *argv* inside from its first moment on."""
        places = [str(self._in(hierarchy) / "cgroup.procs") for hierarchy in _hierarchies()]
        script = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit; shift; done; shift; exec "$@"'
        return ["sh", "-c", script, "enter", *places, "--", *argv]

    def cpu_s(self) -> float:
        """Return the seconds of CPU used in and below it since it was made."""
        with contextlib.suppress(FileNotFoundError):
            if (_TOP / "cpuacct").exists():
                used_ns = (self._in(_TOP / "cpuacct") / "cpuacct.usage").read_text()
                return int(used_ns) / 1e9
            stat = (self._in(_TOP) / "cpu.stat").read_text().split()
            return int(stat[stat.index("usage_usec") + 1]) / 1e6
        return 0.0

    def pids(self) -> set[int]:
        """Return the processes in and below it."""
        tops = (self._in(hierarchy) for hierarchy in _hierarchies())
        return {pid for top in tops if top.exists() for pid in _pids_below(top)}

    def _in(self, hierarchy: Path) -> Path:
        return hierarchy / self.path.lstrip("/")


def _hierarchies() -> list[Path]:
    """Return the roots of all hierarchies; of version 2 alone that is one."""
    tops = [_TOP, *(path for path in _TOP.iterdir() if not path.is_symlink())]
    return [top for top in tops if top.is_mount() and (top / "cgroup.procs").exists()]


def _inherit_cpuset(folder: Path) -> None:
    for name in _CPUSET_FILES:
        file = folder / name
        if file.exists() and not file.read_text().strip() and (folder.parent / name).exists():
            file.write_text((folder.parent / name).read_text())


def _pids_below(top: Path) -> Iterator[int]:
    for file in top.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):  # its cgroup is gone meanwhile
            yield from map(int, file.read_text().split())
