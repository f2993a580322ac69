"""A plugin's container: started, stopped and cleared away through the executor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from opentelemetry import trace

from services.store import ports
from services.store.domain import consent, runtime
from services.store.service.runtime_options import RuntimeOptions
from services.store.service.secrets import PluginSecrets
from shared import errdefs
from shared.bus.ports import Sender
from shared.contracts import executor
from shared.contracts.executor import Container, Exit, HealthCheck, NoNewPrivileges, Seccomp
from shared.contracts.plugin import Plugin
from shared.telemetry.spans import opened

log = structlog.get_logger()
_tracer = trace.get_tracer("wherry.store")

#: What the executor and the bus may need beyond the time granted to the plugin itself.
_MARGIN_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """Orders to the executor, in plugins' words."""

    sender: Sender
    folders: ports.Folders
    ready_timeout_s: float
    stop_grace_s: float
    seccomp: Seccomp
    no_new_privileges: NoNewPrivileges
    options: RuntimeOptions
    secrets: PluginSecrets

    async def start(self, plugin: Plugin, container_id: str, timeout_s: float = 0) -> Container:
        """Start a plugin's container and return it once it is ready; what fails leaves nothing.

        A repeat finds it running. *timeout_s* 0 is the node's default. Raises what dockerd says
        of a plugin that can't run, and PermissionDenied for more than was granted.
        """
        consent.require(plugin)
        deadline_s = timeout_s or self.ready_timeout_s
        with opened(_tracer, "compose container", attributes={"container.id": container_id}):
            command = await self._composed(plugin, container_id, deadline_s)
        try:
            reply = await self.sender.send(command, timeout_s=deadline_s + _MARGIN_S)
        except BaseException:
            await asyncio.shield(self._discard_quietly(container_id))
            raise
        return reply.container

    async def _composed(
        self, plugin: Plugin, container_id: str, deadline_s: float
    ) -> executor.StartContainer:
        config = runtime.container_config(
            plugin,
            rootfs=str(self.folders.rootfs(plugin.plugin_id, plugin.rootfs)),
            propagated=str(self.folders.propagated(plugin.plugin_id)),
            seccomp=self.seccomp,
            no_new_privileges=self.no_new_privileges,
        )
        return executor.StartContainer(
            container_id=container_id,
            config=self.options.applied(plugin, config),
            ready=runtime.ready(plugin, deadline_s),
            health=runtime.health_check(plugin),
            log_name=plugin.plugin_id,
            secrets=await self.secrets.given_to(plugin),
        )

    async def stop(self, container_id: str) -> Exit | None:
        """Stop a container and return how it ended; None when there is none. Safe to repeat."""
        command = executor.StopContainer(container_id=container_id, grace_s=self.stop_grace_s)
        try:
            reply = await self.sender.send(command, timeout_s=self.stop_grace_s + _MARGIN_S)
        except errdefs.NotFound:
            return None
        return reply.container.exit

    async def check(self, container_id: str, health: HealthCheck | None) -> Container:
        """Have a running container's health checked this way; a repeat changes nothing."""
        command = executor.CheckContainer(container_id=container_id, health=health)
        return (await self.sender.send(command, timeout_s=_MARGIN_S)).container

    async def delete(self, container_id: str) -> None:
        """Delete what is left of an ended container; none is success."""
        await self.sender.send(
            executor.DeleteContainer(container_id=container_id), timeout_s=_MARGIN_S
        )

    async def discard(self, container_id: str, at_most_s: float | None = None) -> None:
        """Stop and delete a container, whatever state it is in; none is success.

        It is killed after the node's grace, or after *at_most_s* where that is less.
        """
        grace_s = self._grace_s(at_most_s)
        command = executor.DiscardContainer(container_id=container_id, grace_s=grace_s)
        await self.sender.send(command, timeout_s=grace_s + 2 * _MARGIN_S)

    async def get(self, container_id: str) -> Container | None:
        """Return a container as it is now; None when there is none."""
        command = executor.GetContainer(container_id=container_id)
        try:
            reply = await self.sender.send(command, timeout_s=_MARGIN_S)
        except errdefs.NotFound:
            return None
        return reply.container

    async def list(self) -> tuple[Container, ...]:
        """Return all containers of the node."""
        reply = await self.sender.send(executor.ListContainers(), timeout_s=_MARGIN_S)
        return reply.containers

    async def unmount(self, plugin_id: str) -> None:
        """Unmount what a plugin mounted and left behind; nothing there is success."""
        command = executor.UnmountTree(path=str(self.folders.home(plugin_id)))
        await self.sender.send(command, timeout_s=_MARGIN_S)

    async def clear_leftovers(self, plugin_id: str) -> None:
        """Unmount what a plugin mounted, and delete its containers' output; none is success."""
        path = str(self.folders.home(plugin_id))
        command = executor.ClearLeftovers(path=path, log_name=plugin_id)
        await self.sender.send(command, timeout_s=_MARGIN_S)

    async def unmount_trash(self) -> None:
        """Unmount what keeps leftovers from being deleted; nothing there is success."""
        command = executor.UnmountTree(path=str(self.folders.trash()))
        await self.sender.send(command, timeout_s=_MARGIN_S)

    async def release_node(self) -> None:
        """Have the executor undo its mounts and cgroups."""
        await self.sender.send(executor.ReleaseNode(), timeout_s=2 * _MARGIN_S)

    def _grace_s(self, at_most_s: float | None) -> float:
        return self.stop_grace_s if at_most_s is None else min(at_most_s, self.stop_grace_s)

    async def _discard_quietly(self, container_id: str) -> None:
        try:
            await self.discard(container_id)
        except errdefs.Error as error:
            # The first error is the one to tell; the next comparison of lists finds the rest.
            log.warning("container left behind", container_id=container_id, reason=error.message)
