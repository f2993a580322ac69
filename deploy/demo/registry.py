"""A registry of the demo's own: Debian's docker-registry on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from deploy.demo.failure import DemoFailed

_START_LIMIT_S = 20.0
_END_LIMIT_S = 10.0


class Registry:
    """A docker-registry that keeps what it is given below *folder*."""

    def __init__(self, folder: Path) -> None:
        self.authority = f"127.0.0.1:{_free_port()}"
        self._folder = folder
        self._log = folder / "registry.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it listens."""
        self._folder.mkdir()
        config = self._folder / "config.json"  # YAML takes JSON
        config.write_text(json.dumps(self._config()))
        with self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    ["docker-registry", "serve", str(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except FileNotFoundError as error:
                raise DemoFailed(
                    "docker-registry is not installed: `make demo` installs it"
                ) from error
        self._await_listening(self._process)
        return self

    def __exit__(self, *_error: object) -> None:
        """End it; what it stored goes with the demo's folder."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=_END_LIMIT_S)

    def _await_listening(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + _START_LIMIT_S
        while not self._listens():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise DemoFailed(f"docker-registry does not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        host, port = self.authority.split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def _config(self) -> dict[str, object]:
        return {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "data")}},
            "http": {"addr": self.authority},
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
