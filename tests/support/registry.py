"""The real registry, Debian's docker-registry, as a child of the test on a free loopback port."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.tls import Pair

_START_LIMIT_S = 60.0
#: The one login of a registry with Basic.
USER, PASSWORD = "robin", "cuckoo-7"
#: bcrypt of PASSWORD, as `htpasswd -B` writes it
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuu1l7u.On9UYiSEaweRH8Ti4WhWoGE7ZK\n"


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RegistryServer:
    """A docker-registry with a folder of its own; a context manager that leaves nothing behind.

    *tls* makes it speak TLS, *client_authority* ask for clients' certificates, *has_login* ask
    for USER and PASSWORD, *token* (realm, service, issuer, rootcertbundle) for bearer tokens.
    The folder is made in *below*.
    """

    def __init__(
        self,
        *,
        tls: Pair | None = None,
        client_authority: Path | None = None,
        has_login: bool = False,
        token: dict[str, str] | None = None,
        below: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-registry-", dir=below))
        self.authority = f"127.0.0.1:{free_port()}"
        self._tls = tls
        self._client_authority = client_authority
        self._has_login = has_login
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)

    @property
    def log(self) -> str:
        """Return what it has logged, a line a request among it."""
        return (self.folder / "registry.log").read_text()

    def start(self) -> None:
        """Start it on the data it had, and wait until it listens."""
        config = self.folder / "config.json"  # YAML takes JSON
        config.write_text(json.dumps(self._config()))
        argv = ["docker-registry", "serve", str(config)]
        with (self.folder / "registry.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"docker-registry does not start: {self.log[-2000:]}")
            time.sleep(0.02)

    def pause(self) -> None:
        """Freeze it: connections stay open, and nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo pause."""
        self._running().send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; what it stored stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("docker-registry was not started")
        return self._process

    def _listens(self) -> bool:
        host, port = self.authority.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return False
        return True

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.authority},
        }
        if self._tls:
            config["http"]["tls"] = {
                "certificate": str(self._tls.certificate),
                "key": str(self._tls.key),
                "clientcas": [str(self._client_authority)] if self._client_authority else [],
            }
        if self._has_login:
            htpasswd = self.folder / "htpasswd"
            htpasswd.write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(htpasswd)}}
        if self._token:
            config["auth"] = {"token": self._token}
        return config
