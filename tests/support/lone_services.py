"""A node whose services somebody else starts, each by itself, as containers and units do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.cli.adapters.gateway import UnixGateway
from tests.support.node import SERVICES, Node, eventually

_CODE = Path(__file__).parents[2]
_LIMIT_S = 60.0


class LoneServices(Node):
    """A node without a parent: `python -m services.X` for each of its services."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all services at once, in no order."""
        for name in SERVICES:
            self.start_service(name)

    def start_service(self, name: str, *, code: Path = _CODE) -> subprocess.Popen[bytes]:
        """Start one service, of the tree in *code*."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"services.{name}"],
                cwd=code,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def stop_service(self, name: str) -> None:
        """Stop one service as its manager does; it must end well."""
        process = self.processes.pop(name)
        process.terminate()
        assert process.wait(timeout=_LIMIT_S) == 0, name

    def wait_healthy(self) -> None:
        """Wait until every service is well."""
        eventually(
            self._is_well, f"{self.name} is healthy; {self.folder / 'log'}", limit_s=_LIMIT_S
        )

    def shut_down(self) -> None:
        """Stop the plugins, and then the services, last started first."""
        response = self.http.post("/wherry/v1/node/shutdown")
        assert response.status_code == 204, response.text
        for name in reversed(SERVICES):
            self.stop_service(name)

    def destroy(self) -> None:
        """Leave nothing of the node."""
        for process in self.processes.values():
            process.kill()
            process.wait(timeout=_LIMIT_S)
        self.processes.clear()
        super().destroy()

    def _is_well(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} has ended"
        health = UnixGateway(socket=self.socket).health()
        return health is not None and health.healthy


@contextlib.contextmanager
def running_alone(node: str, settings: Mapping[str, str]) -> Iterator[LoneServices]:
    """Give a node of this name that is up, and leave nothing of it."""
    services = LoneServices(WHERRY_NODE=node, **settings)
    services.name, services.cgroup = node, f"/wherry/{node}"
    try:
        services.up()
        yield services
    finally:
        services.destroy()
