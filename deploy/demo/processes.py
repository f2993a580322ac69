"""Processes of the demo's node, found in /proc by the files they use."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.failure import DemoFailed

_PROC = Path("/proc")
_END_LIMIT_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Process:
    """A process, and how it calls itself."""

    pid: int
    title: str


def using(folder: Path) -> list[Process]:
    """Return the processes that were started with, stand in, or hold open a path below *folder*."""
    return [process for process in _all() if _uses(process.pid, str(folder))]


def in_cgroup(cgroup: str) -> list[Process]:
    """Return the processes in or below a cgroup, in any hierarchy."""
    return [process for process in _all() if _is_in(process.pid, cgroup)]


def kill(processes: Iterable[Process]) -> None:
    """Kill -9 and wait until they have ended; those that are gone already are no error."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(process.pid)
            try:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                _await_end(fd, process)
            finally:
                os.close(fd)


def _await_end(fd: int, process: Process) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(_END_LIMIT_MS):
        raise DemoFailed(f"process {process.pid} ({process.title}) outlived kill -9: see `ps`")


def _all() -> Iterator[Process]:
    for folder in _PROC.iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):  # it ended meanwhile
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().split()
                if words:  # neither a kernel thread nor a zombie
                    yield Process(pid=int(folder.name), title=Path(words[0]).name)


def _uses(pid: int, folder: str) -> bool:
    home = _PROC / str(pid)
    with contextlib.suppress(OSError):
        if folder.encode() in (home / "cmdline").read_bytes():
            return True
        links = [home / "cwd", *(home / "fd").iterdir()]
        return any(_target(link).startswith(folder) for link in links)
    return False


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _is_in(pid: int, cgroup: str) -> bool:
    with contextlib.suppress(OSError):
        lines = (_PROC / str(pid) / "cgroup").read_text().splitlines()
        paths = [line.split(":", 2)[2] for line in lines]
        return any(path == cgroup or path.startswith(f"{cgroup}/") for path in paths)
    return False
