"""The Wherry node that is measured: brought up and down by its own command line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.version import VERSION
from tests.bench.cgroup import Cgroup
from tests.bench.failure import BenchFailed
from tests.bench.side import START_LIMIT_S, Side

WHERRY = str(Path(sys.executable).with_name("wherry"))


class WherryNode(Side):
    """A node with data root and exec root in two folders of its own."""

    name = "wherry"
    pullers = ("wherry-pull",)

    def __init__(
        self,
        *,
        node: str,
        data: Path,
        run: Path,
        cgroup: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.socket = run / "docker.sock"
        self._services = Cgroup(path=cgroup)
        #: Services stand in ours, containers and their supervisors in the node's.
        self.cgroups = (self._services, Cgroup(path=f"/wherry/{node}"))
        self._settings = {
            "WHERRY_NODE": node,
            "WHERRY_ROOT": str(data / "wherry"),
            "WHERRY_EXEC_ROOT": str(run),
            **(settings or {}),
        }
        self.logs = (data / "wherry" / "log" / "wherry.log",)
        self._is_up = False

    def start(self) -> None:
        """Bring the node up."""
        self._services.make()
        self._is_up = True  # a part of it may be up even if the command fails
        self._wherry("up")

    def stop(self) -> None:
        """Bring the node down, with its plugins."""
        if self._is_up:
            self._wherry("down")
            self._is_up = False

    def kill(self) -> None:
        """Kill parent, services and Redis; supervisors and plugins stand in other cgroups."""
        while pids := self._services.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def versions(self) -> dict[str, str]:
        """Return the versions of Wherry and what it runs on."""
        with self.api() as api:
            parts = api.version()["Components"]
        found = {part["Name"]: part["Version"] for part in parts}
        return {"Wherry": VERSION, "Python": sys.version.split()[0], **found}

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what its processes are told, and nothing else of ours."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("WHERRY_", "DOCKER_", "OTEL_"))
        }
        return kept | self._settings

    def _wherry(self, verb: str) -> None:
        done = subprocess.run(
            self._services.enter([WHERRY, verb]),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * START_LIMIT_S,
            check=False,
            start_new_session=True,  # Ctrl-C is for the benchmark, which ends it in order
        )
        if done.returncode != 0:
            raise BenchFailed(f"`wherry {verb}` failed: {done.stderr.strip()}")
