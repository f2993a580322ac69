"""A node that runs as dockerd runs: `wherry dockerd`, ended by signals."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.node import Node, eventually

_CODE = Path(__file__).parents[2]
_LIMIT_S = 60.0


class Daemon(Node):
    """Flags are given to each start; roots, socket and pid file are its own."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.pid_file = self.folder / "pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._began_at = 0

    def begin(self, *flags: str, file: dict[str, Any] | None = None) -> None:
        """Start it and wait until the API answers."""
        self.start(*flags, file=file)
        eventually(self._is_up, f"the daemon is up; look at {self.folder / 'log'}")

    def start(self, *flags: str, file: dict[str, Any] | None = None) -> None:
        """Start it."""
        config = self.folder / "daemon.json"
        config.write_text(json.dumps(file or {}))
        with (self.folder / "log").open("ab") as log:
            self._began_at = log.tell()
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "services.cli", "dockerd"),
                    *("--data-root", str(self.root), "--exec-root", str(self.exec_root)),
                    *("--host", f"unix://{self.socket}", "--pidfile", str(self.pid_file)),
                    *("--config-file", str(config)),
                    *flags,
                ],
                cwd=_CODE,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal that does not end it."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, wait for its end and return its status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.status_at_end()

    def status_at_end(self) -> int:
        """Wait for its end and return its status."""
        assert self._process is not None
        return self._process.wait(timeout=_LIMIT_S)

    @property
    def log(self) -> str:
        """Return what it said since it was started last."""
        return (self.folder / "log").read_bytes()[self._began_at :].decode()

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-3000:]
        return "Daemon has completed initialization" in self.log


@contextlib.contextmanager
def daemon(**settings: str) -> Iterator[Daemon]:
    """Give a daemon that is not started, and leave nothing of it."""
    made = Daemon(**settings)
    try:
        yield made
    finally:
        if made._process is not None:
            made._process.kill()
            made._process.wait()
        made.destroy()
