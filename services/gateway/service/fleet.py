"""Services, tasks and nodes of the fleet: asked of its active controller, which knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway import ports
from services.gateway.domain import swarm_filter
from services.gateway.domain.auth_config import AuthConfig
from shared import errdefs
from shared.contracts import node, swarm
from shared.contracts.job import Sealed
from shared.contracts.node import Availability, Fleet, Node, new_id
from shared.contracts.swarm import Service, ServiceSpec, Task

#: The controller of our node may have to pass it on.
_LIMIT_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Sends what clients wish; all raise what the controller answers, and Unavailable."""

    sender: ports.Sender
    vault: ports.Vault

    async def create(self, spec: ServiceSpec, auth: AuthConfig) -> str:
        """Create a service and return its id; its login is sealed to the active controller."""
        service_id = new_id()
        command = swarm.CreateService(
            service_id=service_id, spec=spec, credentials=await self._sealed(auth, service_id)
        )
        return (await self.sender.send(command, timeout_s=_LIMIT_S)).service_id

    async def update(
        self, name: str, version: int, spec: ServiceSpec, auth: AuthConfig, *, rollback: bool
    ) -> None:
        """Give a service another spec, or its previous one."""
        service = await self.get(name)
        command = swarm.UpdateService(
            name=service.service_id,
            version=version,
            spec=spec,
            credentials=await self._sealed(auth, service.service_id),
            rollback=rollback,
        )
        await self.sender.send(command, timeout_s=_LIMIT_S)

    async def remove(self, name: str) -> None:
        """Remove a service."""
        await self.sender.send(swarm.RemoveService(name=name), timeout_s=_LIMIT_S)

    async def get(self, name: str) -> Service:
        """Return a service."""
        return (await self.sender.send(swarm.GetService(name=name), timeout_s=_LIMIT_S)).service

    async def list(self) -> tuple[Service, ...]:
        """Return all services, by name."""
        return (await self.sender.send(swarm.ListServices(), timeout_s=_LIMIT_S)).services

    async def tasks(self) -> tuple[Task, ...]:
        """Return all tasks that are kept, oldest first."""
        return (await self.sender.send(swarm.ListTasks(), timeout_s=_LIMIT_S)).tasks

    async def fleet(self, *, limit_s: float = _LIMIT_S) -> Fleet:
        """Return all nodes, and which one is the manager."""
        return await self.sender.send(node.ListNodes(), timeout_s=limit_s)

    async def node(self, name: str) -> tuple[Node, bool]:
        """Return a node, and whether it is the manager."""
        fleet = await self.fleet()
        found = swarm_filter.find_node(fleet, name)
        return found, found.name == fleet.active

    async def update_node(
        self, name: str, version: int, labels: dict[str, str], availability: Availability
    ) -> None:
        """Set what people set of a node."""
        command = node.UpdateNode(
            name=name, revision=version, labels=labels, availability=availability
        )
        await self.sender.send(command, timeout_s=_LIMIT_S)

    async def remove_node(self, name: str, *, force: bool) -> None:
        """Forget a node."""
        found, _ = await self.node(name)
        await self.sender.send(node.RemoveNode(name=found.name, force=force), timeout_s=_LIMIT_S)

    async def _sealed(self, auth: AuthConfig, service_id: str) -> Sealed | None:
        if auth.is_anonymous:
            return None
        fleet = await self.fleet()
        keys = [one.seal_key for one in fleet.nodes if one.name == fleet.active and one.seal_key]
        if not keys:
            raise errdefs.Unavailable(
                f"node {fleet.active} has the active controller, and no key yet that a login could "
                "be sealed to: try again"
            )
        return self.vault.seal_to(keys[0], auth.plaintext(), f"service/{service_id}")
