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
from services.cli.ports import Process
from shared.node.config import NodeConfig

_PR_SET_PDEATHSIG = 1
_FIRST_FD = 3


class ForegroundParent(DetachedParent):
    """ports.Parent and ports.Foreground: its output is ours, and it does not outlive us."""

    def __init__(self, node: NodeConfig, env: Mapping[str, str], *, inherited: int) -> None:
        super().__init__(node, Path("stderr"))
        self._env = dict(env)
        self._inherited = inherited
        self._child: subprocess.Popen[bytes] | None = None
        self._heard, self._signals = socket.socketpair()

    def listen(self) -> None:
        """Take note of SIGTERM and SIGINT from now on."""
        self._signals.settimeout(0)
        signal.set_wakeup_fd(self._signals.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _noted)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes ends no daemon

    def start(self) -> PidfdProcess:
        """Start it, with the sockets that we were started with."""
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

    def is_told_to_stop(self, process: Process) -> bool:
        """Wait for a signal or the end of *process*; tell whether it was a signal."""
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        ended = os.pidfd_open(process.pid)
        poll.register(ended, select.POLLIN)
        try:
            return any(fd == self._heard.fileno() for fd, _ in poll.poll())
        finally:
            os.close(ended)


def _die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the descriptor for wake-ups has it."""
