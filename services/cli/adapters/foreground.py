"""A node's parent as a child of this process, and the signals that end both."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from services.cli.adapters.parent import ARGV, CODE, DetachedParent, PidfdProcess
from services.cli.ports import Process, Told
from shared.node.config import NodeConfig
from shared.node.service_manager import notify

_PR_SET_PDEATHSIG = 1
_FIRST_FD = 3
_STOP = frozenset({signal.SIGTERM, signal.SIGINT})


class ForegroundParent(DetachedParent):
    """ports.Parent and ports.Foreground: its output is ours, and it does not outlive us."""

    def __init__(self, node: NodeConfig, env: Mapping[str, str], *, inherited: int) -> None:
        super().__init__(node, Path("stderr"))
        self._env = dict(env)
        self._inherited = inherited
        self._child: subprocess.Popen[bytes] | None = None
        self._notified = self._env.pop("NOTIFY_SOCKET", "")
        self._heard, self._signals = socket.socketpair()

    def listen(self) -> None:
        """Take note of SIGTERM, SIGINT and SIGHUP from now on."""
        for end in (self._heard, self._signals):
            end.settimeout(0)
        signal.set_wakeup_fd(self._signals.fileno())
        for number in (*_STOP, signal.SIGHUP):
            signal.signal(number, _noted)

    def use(self, env: Mapping[str, str]) -> None:
        """Start the next parent with this environment."""
        self._env = {key: value for key, value in env.items() if key != "NOTIFY_SOCKET"}

    def notify(self, state: str) -> None:
        """Tell systemd how far we are, where it started us as Type=notify."""
        notify(self._notified, state)

    def start(self) -> PidfdProcess:
        """Start it, with the sockets that we were started with."""
        if self._child is not None:
            self._child.wait()
        self._child = subprocess.Popen(
            ARGV,
            cwd=CODE,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            pass_fds=range(_FIRST_FD, _FIRST_FD + self._inherited),
            start_new_session=True,  # a Ctrl-C is ours to deal with: plugins are stopped first
            preexec_fn=_die_with_parent,
        )
        return PidfdProcess(self._child.pid)

    def last_words(self) -> str:
        """Return nothing: all was said on standard error."""
        return ""

    def wait(self, process: Process) -> Told:
        """Wait for a signal or the end of *process*; a signal to stop comes before all else."""
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        ended = os.pidfd_open(process.pid)
        poll.register(ended, select.POLLIN)
        try:
            if all(fd != self._heard.fileno() for fd, _ in poll.poll()):
                return Told.ENDED
            return Told.RELOAD if _STOP.isdisjoint(self._heard.recv(4096)) else Told.STOP
        finally:
            os.close(ended)


def _die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the descriptor for wake-ups has it."""
