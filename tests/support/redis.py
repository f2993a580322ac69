"""A private redis-server for tests and benches."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_START_LIMIT_S = 60.0


class RedisServer:
    """A redis-server on a unix socket in a folder of its own: appended to disk, no TCP port.

    Plain calls that block; a context manager that starts it and leaves nothing behind.
    """

    def __init__(self) -> None:
        # A short path: AF_UNIX ends at 107 bytes, and pytest's tmp_path may be longer.
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-redis-"))
        self.socket_path = self.folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL that redis-py takes."""
        return f"unix://{self.socket_path}"

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the server and remove its folder."""
        self.remove()

    def start(self) -> None:
        """Start the server on the data that it had, and wait until it answers."""
        log_path = self.folder / "redis.log"
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(self._argv(), stdout=log, stderr=log)
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"redis-server does not start: {log_path.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server as an operator does; its data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server; what it had appended stays."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the server and start it again on its data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo pause."""
        self._running().send_signal(signal.SIGCONT)

    def flushall(self) -> None:
        """Delete all data, as an operator may at any moment."""
        self.command("FLUSHALL")

    def remove(self) -> None:
        """Kill the server, if it runs, and remove its folder."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words: str) -> str:
        """Run one command with redis-cli and return its raw output."""
        argv = ["redis-cli", "-s", str(self.socket_path), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.rstrip("\n")

    def _argv(self) -> list[str]:
        return [
            "redis-server",
            *("--port", "0"),
            *("--unixsocket", str(self.socket_path)),
            *("--dir", str(self.folder)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(str(self.socket_path))
            probe.sendall(b"PING\r\n")
            # While it loads its data it answers -LOADING; one with users wants to know who asks.
            return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def _end(self, number: signal.Signals) -> None:
        process = self._running()
        process.send_signal(number)
        # A paused server would never act on SIGTERM.
        process.send_signal(signal.SIGCONT)
        process.wait(timeout=20)
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("redis-server was not started")
        return self._process
