"""A node of the demo's own: folders, environment, and the commands of its users."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.demo import screen
from deploy.demo.failure import DemoFailed

_LIMIT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node below one folder, so that it disturbs no other."""

    folder: Path
    name: str
    #: Where its services send their spans.
    traces_to: str

    @property
    def socket(self) -> Path:
        """Return where Docker's API is served."""
        return self.folder / "run" / "docker.sock"

    @property
    def cgroup(self) -> str:
        """Return the cgroup above those of its containers."""
        return f"/wherry/{self.name}"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what the node, and the docker CLI, are told; nothing else of ours."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("WHERRY_", "DOCKER_", "OTEL_"))
        }
        return inherited | {
            "WHERRY_NODE": self.name,
            "WHERRY_ROOT": str(self.folder / "lib"),
            "WHERRY_EXEC_ROOT": str(self.folder / "run"),
            "WHERRY_SOCKET": str(self.socket),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.traces_to,
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds; the default is longer than the demo
        }

    def wherry(self, *arguments: str) -> str:
        """Run the `wherry` CLI and show it."""
        program = Path(sys.executable).with_name("wherry")
        return self._run([str(program), *arguments], shown="wherry")

    def docker(self, *arguments: str) -> str:
        """Run the `docker` CLI against the node and show it."""
        return self._run(["docker", *arguments])

    def run(self, *argv: str, cwd: Path | None = None) -> str:
        """Run any command and show it."""
        return self._run(list(argv), cwd=cwd)

    def refused(self, *argv: str, cwd: Path | None = None) -> str:
        """Run a command that must fail, show it, and return what it said."""
        screen.command(shlex.join(argv))
        ended = self._ended(list(argv), cwd)
        screen.output(ended.stdout)
        if ended.returncode == 0:
            raise DemoFailed(f"`{shlex.join(argv)}` should have failed, and succeeded")
        return ended.stdout

    def get(self, path: str) -> dict[str, Any]:
        """GET from the API of Wherry's own."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        with httpx.Client(transport=transport, base_url="http://wherry", timeout=30) as client:
            response = client.get(path)
        if response.is_error:
            raise DemoFailed(f"GET {path}: {response.status_code} {response.text}")
        return dict(response.json())

    def _run(self, argv: list[str], *, shown: str = "", cwd: Path | None = None) -> str:
        line = shlex.join([shown or argv[0], *argv[1:]])
        screen.command(line)
        ended = self._ended(argv, cwd)
        screen.output(ended.stdout)
        if ended.returncode != 0:
            raise DemoFailed(f"`{line}` ended with exit status {ended.returncode}; see above")
        return ended.stdout

    def _ended(self, argv: list[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                argv,
                env=self.environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise DemoFailed(f"{argv[0]} is not installed: `make demo` installs it") from error
        except subprocess.TimeoutExpired as error:
            raise DemoFailed(f"{argv[0]} did not end within {_LIMIT_S} s: {error.cmd}") from error
