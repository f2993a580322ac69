"""A child process: the only place that starts one, waits for it and kills it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

# With NOTIFY_SOCKET runc mounts that socket into the container; with LISTEN_FDS it hands on
# that many descriptors. Both would be the caller's, inherited from systemd by accident.
_NOT_FOR_RUNC = frozenset({"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"})

# Python ignores these two; an ignored signal would stay ignored in the container.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)

#: Between two looks for children of a process that is being ended, in seconds.
_LOOK_S = 0.02


class Process:
    """A started child, leader of its own session and process group.

    posix_spawn rather than asyncio's subprocess: it can place descriptors at chosen numbers
    (--preserve-fds counts from 3), and the exit is told by a pidfd on any event loop.
    """

    def __init__(self, argv: Sequence[str], fds: Sequence[int | None]) -> None:
        """Start *argv*; it gets ``fds[n]`` as descriptor n, /dev/null for None.

        Raises OSError if there is no such program.
        """
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._ending = False
        self.pid = _spawn(argv, fds)
        try:
            self._pidfd = os.pidfd_open(self.pid)
            self._loop.add_reader(self._pidfd, self._reap)
        except BaseException:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise

    async def wait(self) -> int:
        """Wait for the end and return the exit status, -n for signal n.

        Cancelling this leaves the process alone; `end` ends it.
        """
        await asyncio.wait([self._exit])
        return self._exit.result()

    async def end(self, grace_s: float) -> None:
        """See the process gone, whatever it takes; a cancellation has to wait for that.

        What it started is killed first, the processes of its group and its children (runc's
        child is the container's process, in a session of its own): runc then clears up after
        itself. If that takes more than *grace_s* it is killed too.
        """
        self._ending = not self._exit.done()
        deadline = self._loop.time() + grace_s
        while not self._exit.done() and self._loop.time() < deadline:
            self._kill_kin()
            await self._outlast(_LOOK_S)
        if not self._exit.done():
            os.kill(self.pid, signal.SIGSTOP)  # so that it starts nothing we don't see
            self._kill_kin()
            os.killpg(self.pid, signal.SIGKILL)
        await self.outlast()

    async def outlast(self) -> int:
        """Wait for the end as `wait` does, not to be cancelled meanwhile."""
        while not self._exit.done():
            await self._outlast(None)
        return self._exit.result()

    async def _outlast(self, timeout_s: float | None) -> None:
        # Whoever asked us to end the process raises the cancellation that brought it here.
        with suppress(asyncio.CancelledError):
            await asyncio.wait([self._exit], timeout=timeout_s)

    def _kill_kin(self) -> None:
        for pid in _kin(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._ending:
            # Not reaped yet, so the number still means this group and no other.
            os.killpg(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self._exit.set_result(os.waitstatus_to_exitcode(status))


def _spawn(argv: Sequence[str], fds: Sequence[int | None]) -> int:
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = []
    copies: list[int] = []
    try:
        for number, fd in enumerate(fds):
            if fd is None:
                actions.append((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0))
                continue
            # A copy above all targets: no dup2 can then close another's source.
            copies.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, len(fds)))
            actions.append((os.POSIX_SPAWN_DUP2, copies[-1], number))
        return os.posix_spawnp(
            argv[0],
            list(argv),
            {name: value for name, value in os.environ.items() if name not in _NOT_FOR_RUNC},
            file_actions=actions,
            setsid=True,
            setsigdef=_DEFAULT_SIGNALS,
        )
    finally:
        for copy in copies:
            os.close(copy)


def _kin(pid: int) -> Iterator[int]:
    """Name the children of *pid* and the other processes of its group."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != pid and pid in _parent_and_group(entry):
            yield int(entry.name)


def _parent_and_group(entry: Path) -> tuple[int, int]:
    try:
        # The second field is the name in brackets, and may hold brackets and spaces itself.
        fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # ended meanwhile
        return (0, 0)
    return int(fields[1]), int(fields[2])
