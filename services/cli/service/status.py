"""`wherry status`: how the node is."""

from __future__ import annotations

from dataclasses import dataclass

from services.cli.domain.health import NodeHealth
from services.cli.domain.status import State, Status
from services.cli.ports import Gateway, Host
from shared import errdefs
from shared.node.config import NodeConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Asks the gateway, and the lock files when it does not answer."""

    node: NodeConfig
    gateway: Gateway
    host: Host
    log: str

    def run(self) -> Status:
        """Return how the node is; only looks."""
        health = self.gateway.health()
        return self._from_locks() if health is None else self._from_gateway(health)

    def _from_gateway(self, health: NodeHealth) -> Status:
        return Status(
            node=self.node.name,
            state=State.HEALTHY if health.healthy else State.UNHEALTHY,
            root=str(self.node.root),
            exec_root=str(self.node.exec_root),
            socket=str(self.node.socket),
            log=self.log,
            plugins=self.gateway.count_plugins(),
            services=health.services,
        )

    def _from_locks(self) -> Status:
        note = "start it with `wherry up`"
        try:
            running = self.host.running()
        except errdefs.PermissionDenied as error:
            running, note = (), error.message
        if running:
            note = "the gateway does not answer; this is what the lock files say"
        elif self.host.has_traces():
            note = "plugins may still run: `wherry up` takes them up, `wherry down` ends them"
        return Status(
            node=self.node.name,
            state=State.UNHEALTHY if running else State.NOT_RUNNING,
            note=note,
            root=str(self.node.root),
            exec_root=str(self.node.exec_root),
            socket=str(self.node.socket),
            log=self.log,
            services=running,
        )
