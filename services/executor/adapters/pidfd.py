"""Processes watched by pidfd: no polling, no mistaken pid, no need to be their parent."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

from services.executor.domain.record import Process

#: Field of /proc/<pid>/stat that holds the start time, counted behind the command's name.
_START_TIME = 19
#: No process; or a thread that leads none, of which older and newer kernels say different things.
_NO_PROCESS = frozenset({errno.ESRCH, errno.EINVAL, errno.ENOENT})


def identify(pid: int) -> Process | None:
    """Return the process that has this pid now; None when there is none."""
    try:
        # Bytes: a process has any name it gives itself, and the kernel cuts one within a letter.
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    start_ticks = stat.rpartition(b")")[2].split()[_START_TIME].decode()
    # Ticks count from the boot, and an exec root may outlive one.
    return Process(pid=pid, birth=f"{_boot_id()}:{start_ticks}")


class PidfdProcesses:
    """ports.Processes."""

    def is_alive(self, process: Process) -> bool:
        """Tell whether the process still runs; a zombie does not."""
        with _pidfd(process) as fd:
            return fd is not None and not _has_ended(fd)

    async def ended(self, process: Process) -> None:
        """Return once the process has ended; at once when it has."""
        with _pidfd(process) as fd:
            if fd is None:
                return
            loop = asyncio.get_running_loop()
            readable = asyncio.Event()
            loop.add_reader(fd, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(fd)

    def send(self, process: Process, number: signal.Signals) -> bool:
        """Send a signal; return whether the process was still there."""
        with _pidfd(process) as fd:
            if fd is None:
                return False
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                return False
            return True


@functools.cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextlib.contextmanager
def _pidfd(process: Process) -> Iterator[int | None]:
    """Hold a descriptor of the process; None when it is gone or another has its pid."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError as error:
        if error.errno not in _NO_PROCESS:
            raise
        yield None
        return
    try:
        # Looked at after the open: from here on the descriptor can't change its meaning.
        yield fd if identify(process.pid) == process else None
    finally:
        os.close(fd)


def _has_ended(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
