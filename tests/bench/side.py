"""What is measured: one engine, its API, and what its processes use."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from tests.bench.api import Api
from tests.bench.cgroup import Cgroup
from tests.bench.failure import BenchFailed

#: A side is quiet when it uses less than this share of a core over one look.
_QUIET_SHARE = 0.1
_LOOK_S = 0.025
_QUIET_LIMIT_S = 10.0
START_LIMIT_S = 60.0
_LAST_LINES = 20


class Side(ABC):
    """Wherry or its peer."""

    name: str
    #: Where its API is served.
    socket: Path
    #: That hold its processes; none when they are somebody else's.
    cgroups: tuple[Cgroup, ...]
    #: Names of the processes that pull.
    pullers: tuple[str, ...]
    #: That go when the benchmark ends; none when they are somebody else's.
    logs: tuple[Path, ...]

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it is healthy."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it and all that it runs; a repeat does nothing."""

    @abstractmethod
    def kill(self) -> None:
        """Kill -9 all its processes but the plugins and their supervisors."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of what it is made of."""

    @property
    def is_ours(self) -> bool:
        """Tell whether its processes are this run's, so that they can be measured and restarted."""
        return bool(self.cgroups)

    def api(self) -> Api:
        """Return a new client."""
        return Api(self.socket)

    def cpu_s(self) -> float:
        """Return the seconds of CPU that it and its children have used up to now."""
        return sum(cgroup.cpu_s() for cgroup in self.cgroups)

    def pids(self) -> set[int]:
        """Return all its processes."""
        return {pid for cgroup in self.cgroups for pid in cgroup.pids()}

    def settle(self) -> None:
        """Wait until it has done what it does after an answer, such as deleting files."""
        deadline = time.monotonic() + _QUIET_LIMIT_S
        before = self.cpu_s()
        while time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            now = self.cpu_s()
            if now - before < _QUIET_SHARE * _LOOK_S:
                return
            before = now

    def remove_all(self) -> None:
        """Remove all plugins, enabled or not, each after the one before it is cleared away.

        dockerd collects garbage after each; two such collections at once can crash it.
        """
        with self.api() as api:
            for name in api.names():
                api.remove(name, force=True)
                self.settle()

    def last_words(self) -> str:
        """Return the ends of its logs, without what tells of no trouble."""
        return "\n".join(f"{log.name}:\n{_end(log)}" for log in self.logs if log.exists())


def wait_for(holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a process that was started does its work; raises BenchFailed with its log."""
    deadline = time.monotonic() + START_LIMIT_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchFailed(f"{process.args!r} did not start; it said:\n{_end(log)}")
        time.sleep(0.005)


def _end(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([line for line in lines if '"level": "info"' not in line][-_LAST_LINES:])
