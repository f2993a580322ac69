"""The parent as a process of this host: found by its lock, started detached."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import services
from shared.node.config import NodeConfig
from shared.node.lock import read_holder

#: The folder that `services` and `shared` lie in; a user's own `services` is not to be found.
CODE = Path(services.__file__).parent.parent
ARGV = (sys.executable, "-m", "services.parent")

_LOG_MAX_BYTES = 10 * 1024 * 1024
#: Enough for a traceback.
_LAST_LINES = 25


class PidfdProcess:
    """ports.Process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    def ends_within(self, timeout_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def terminate(self) -> None:
        """Send it SIGTERM; one that is gone is fine."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGTERM)

    def has_child(self, pid: int) -> bool:
        """Tell whether *pid* is its child."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            return int(stat.rpartition(")")[2].split()[1]) == self.pid
        return False


class DetachedParent:
    """ports.Parent."""

    def __init__(self, node: NodeConfig, log: Path) -> None:
        self._node = node
        self._log = log
        self._began_at = 0

    def find(self) -> PidfdProcess | None:
        """Return the parent that runs, or None."""
        path = self._node.lock_path("parent")
        holder = read_holder(path)
        if holder is None:
            return None
        try:
            process = PidfdProcess(holder.pid)
        except ProcessLookupError:
            return None
        # Looked at after the open: from here on the descriptor can't change its meaning.
        return process if read_holder(path) == holder else None

    def start(self) -> PidfdProcess:
        """Start one that outlives this command, its output appended to the log."""
        for folder in (self._node.root, self._log.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._rotate()
        fd = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._began_at = os.fstat(fd).st_size
        try:
            started = subprocess.Popen(
                ARGV,
                cwd=CODE,
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                start_new_session=True,
            )
        finally:
            os.close(fd)
        process = PidfdProcess(started.pid)
        started.returncode = 0  # not waited for: it outlives us
        return process

    def last_words(self) -> str:
        """Return the last warnings and errors since the parent was started here."""
        with contextlib.suppress(FileNotFoundError), self._log.open("rb") as log:
            log.seek(self._began_at)
            lines = log.read(_LOG_MAX_BYTES).decode(errors="replace").splitlines()
            # What went as it should explains no failure.
            telling = [line for line in lines if '"level": "info"' not in line]
            return "\n".join(telling[-_LAST_LINES:])
        return ""

    def _rotate(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size > _LOG_MAX_BYTES:
                self._log.replace(self._log.with_name(f"{self._log.name}.1"))
