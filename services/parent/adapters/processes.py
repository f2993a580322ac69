"""Processes watched by pidfd, and signals, in one selector."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import socket
from types import FrameType

from services.parent.domain.ending import Ending
from services.parent.ports import Wakeup

#: A terminal that hangs up must not leave its foreground parent dead and the services alive.
_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_HEARD = _STOP | {signal.SIGCHLD}


class PidfdProcesses:
    """ports.Processes."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._fds: dict[int, int] = {}
        self._wait_statuses: dict[int, int] = {}
        self._heard, self._signals = socket.socketpair()

    def listen(self) -> None:
        """Have SIGTERM, SIGINT, SIGHUP and SIGCHLD end a wait, from now on."""
        for end in (self._heard, self._signals):
            end.settimeout(0)
        self._selector.register(self._heard, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)
        for number in _HEARD:
            signal.signal(number, _leave_to_the_selector)

    def watch(self, pid: int) -> bool:
        """Begin to watch a process; return whether it is there. A repeat does nothing."""
        if pid in self._fds:
            return True
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        self._fds[pid] = fd
        self._selector.register(fd, selectors.EVENT_READ, pid)
        return True

    def forget(self, pid: int) -> None:
        """Stop watching a process."""
        fd = self._fds.pop(pid, None)
        if fd is not None:
            self._selector.unregister(fd)
            os.close(fd)

    def wait(self, timeout_s: float | None) -> Wakeup:
        """Return when a watched process ended, a signal says stop, or the time is up."""
        ready = self._selector.select(timeout_s)
        told_to_stop = self._was_told_to_stop()
        self._reap()
        ended = tuple(self._ending(key.data) for key, _ in ready if key.data is not None)
        return Wakeup(told_to_stop=told_to_stop, ended=ended)

    def end(self, pid: int, grace_s: float) -> Ending | None:
        """Send SIGTERM, after *grace_s* SIGKILL, to a watched process and wait for its end.

        Returns None for a process that outlived both.
        """
        fd = self._fds[pid]
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, number)
            if _ends_within(fd, grace_s):
                self._reap()
                return self._ending(pid)
        self.forget(pid)
        return None

    def _was_told_to_stop(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return not _STOP.isdisjoint(self._heard.recv(4096))
        return False

    def _reap(self) -> None:
        """Collect all dead children; as process 1 of a container we get those of others, too."""
        with contextlib.suppress(ChildProcessError):
            while (reaped := os.waitpid(-1, os.WNOHANG))[0]:
                if reaped[0] in self._fds:
                    self._wait_statuses[reaped[0]] = reaped[1]

    def _ending(self, pid: int) -> Ending:
        self.forget(pid)
        return Ending(pid=pid, wait_status=self._wait_statuses.pop(pid, None))


def _leave_to_the_selector(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: without a handler, Python would write nothing to the wake-up descriptor."""


def _ends_within(fd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
