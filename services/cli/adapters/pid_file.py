"""The file that says which process is the daemon."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from shared import errdefs


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPidFile:
    """ports.PidFile; without a path there is none."""

    path: Path | None

    def write(self) -> None:
        """Write our pid; raises Conflict while the process that the file names runs."""
        if self.path is None:
            return
        if (running := self._running()) is not None:
            raise errdefs.Conflict(
                "failed to start daemon, ensure docker is not running or delete "
                f"{self.path}: process with PID {running} is still running"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the file, if it is ours."""
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                if self.path.read_text() == str(os.getpid()):
                    self.path.unlink()

    def _running(self) -> int | None:
        assert self.path is not None
        try:
            pid = int(self.path.read_text())
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError, OverflowError):
            return None
        except PermissionError:
            return pid
        return pid if pid != os.getpid() else None
