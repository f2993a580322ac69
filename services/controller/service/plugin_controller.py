"""What a task does to its node's plugin: swarm's controller of plugins, its defects mended.

A plugin is one thing on a node, and many tasks point to it over time. So a task is no process that
comes and goes: it says how the plugin shall be, and the node's store does what it does anyway.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from services.controller import ports
from services.controller.domain.task import Applied, TaskRecord
from shared import errdefs
from shared.contracts.job import JobKind, JobRequest
from shared.contracts.plugin import Plugin
from shared.contracts.swarm import UpdateConfig
from shared.contracts.upgrade import UpgradeStrategy
from shared.oci import reference

#: As swarm has it.
_ENABLE_LIMIT_S: Final = 30
#: The longest that a job watches a new version.
_LONGEST_MONITOR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginController:
    """A task's phases. Each may be repeated: it finds what was done, and goes on from there.

    Errors are errdefs; of those that `task.is_temporary` names the phase is to be tried again.
    """

    backend: ports.PluginBackend
    record: TaskRecord
    #: What an earlier task made of the node's plugin, if anything.
    before: Applied | None = None

    async def update(self, record: TaskRecord) -> PluginController:
        """Follow a task's new record; a new spec is a new task, so the plugin stays as it is."""
        return PluginController(backend=self.backend, record=record, before=self.before)

    async def prepare(self) -> Plugin:
        """Have the plugin installed as the spec says; return it.

        A plugin that is so already is not touched. Raises AlreadyExists for one that another
        service, or a person, installed under its name.
        """
        plugin = await self.backend.get(self.record.plugin_name)
        if plugin is None:
            await self.backend.pull(self._request(JobKind.PULL))
        else:
            self._require_own(plugin)
            if not self._is_applied(plugin):
                await self._upgrade(plugin)
        return await self._installed()

    async def start(self) -> Plugin:
        """Have the plugin run, or stopped, as the spec says; return it."""
        plugin = await self._require()
        if plugin.enabled is not self._is_disabled:
            return await self._hold(plugin)
        if self._is_disabled:
            await self._release(plugin)
            # Other tasks' references are no reason: they say the same, or are of the past.
            await self.backend.disable(plugin.plugin_id, force=True)
        else:
            await self.backend.enable(plugin.plugin_id, timeout_s=_ENABLE_LIMIT_S)
        return await self._hold(await self._require())

    async def wait(self) -> AsyncGenerator[Plugin, None]:
        """Yield the plugin whenever something is seen of it, for as long as it is as desired.

        Raises Conflict once it is not: somebody switched it, removed it, or it ended.
        """
        async with aclosing(self.backend.watch(self._plugin_id)) as seen:
            async for plugin in seen:
                yield self._as_desired(plugin)

    async def shutdown(self) -> None:
        """Hold the plugin no more for this task; it runs on.

        The task that follows has it, or `remove` gives it up.
        """
        if self.record.applied is not None:
            plugin = await self.backend.get(self._plugin_id)
            if plugin is not None:
                await self._release(plugin)

    async def terminate(self) -> None:
        """Do as `shutdown` does: there is nothing to end more harshly."""
        await self.shutdown()

    async def remove(self, others: Collection[TaskRecord]) -> None:
        """Give the task's part of the plugin up; the last one's end is the plugin's.

        *others* are the tasks that have not given up theirs.
        """
        if self.record.applied is None:
            await self.backend.abandon()
        plugin = await self.backend.get(self._plugin_id or self.record.plugin_name)
        if plugin is None or plugin.swarm_service_id != self.record.task.service_id:
            return
        await self._release(plugin)
        if not any(_has(other, plugin.plugin_id) for other in others):
            await self.backend.remove(plugin.plugin_id, force=True)

    async def close(self) -> None:
        """Do nothing: nothing is held open between phases."""

    @property
    def _plugin_id(self) -> str:
        return self.record.applied.plugin_id if self.record.applied else ""

    @property
    def _is_disabled(self) -> bool:
        return self.record.task.spec.plugin.disabled

    def _require_own(self, plugin: Plugin) -> None:
        if plugin.swarm_service_id != self.record.task.service_id:
            owner = "another service" if plugin.swarm_service_id else "somebody"
            raise errdefs.AlreadyExists(
                f"plugin already exists: {plugin.name}, which {owner} installed: remove it, or "
                "give the service's plugin another name",
                detail={"plugin": plugin.name},
            )

    def _is_applied(self, plugin: Plugin) -> bool:
        """Tell whether an earlier task, or this one, has made the plugin what the spec says."""
        applied = self.record.applied or self.before
        if applied is None:
            return False
        wanted = self.record.task.spec
        return (
            applied.plugin_id == plugin.plugin_id
            and applied.manifest_digest == plugin.manifest_digest
            and applied.force_update == wanted.force_update
            # Whether it runs is the next phase's to see to.
            and applied.spec.model_copy(update={"disabled": wanted.plugin.disabled})
            == wanted.plugin
        )

    async def _upgrade(self, plugin: Plugin) -> None:
        if plugin.enabled and self._is_disabled:
            await self._release(plugin)
            await self.backend.disable(plugin.plugin_id, force=True)
        await self.backend.upgrade(self._request(JobKind.UPGRADE))

    def _request(self, kind: JobKind) -> JobRequest:
        spec, config = self.record.task.spec, self.record.task.spec.update or UpdateConfig()
        strategy = UpgradeStrategy.DISABLED if self._is_disabled else UpgradeStrategy(config.order)
        return JobRequest(
            kind=kind,
            name=self.record.plugin_name,
            remote=str(reference.parse_remote(spec.plugin.remote)),
            privileges=spec.plugin.privileges,
            env=spec.plugin.env,
            swarm_service_id=self.record.task.service_id,
            strategy=strategy,
            monitor_s=min(config.monitor_ns / 1e9, _LONGEST_MONITOR_S),
        )

    async def _installed(self) -> Plugin:
        plugin = await self.backend.get(self.record.plugin_name)
        if plugin is None:
            raise errdefs.NotFound(
                f"plugin {self.record.plugin_name} was removed while it was being installed",
                detail={"plugin": self.record.plugin_name},
            )
        return plugin

    async def _require(self) -> Plugin:
        plugin = await self.backend.get(self._plugin_id)
        if plugin is None:
            raise errdefs.NotFound(
                f'plugin "{self.record.plugin_name}" not found',
                detail={"plugin": self.record.plugin_name},
            )
        return plugin

    async def _hold(self, plugin: Plugin) -> Plugin:
        """Keep people from stopping a plugin by mistake that the service wants to run."""
        if not self._is_disabled:
            await self.backend.acquire(plugin, self.record.task_id)
        return plugin

    async def _release(self, plugin: Plugin) -> None:
        await self.backend.release(plugin, self.record.task_id)

    def _as_desired(self, plugin: Plugin | None) -> Plugin:
        """Return a plugin that is as the spec says; raises Conflict in swarm's words."""
        if plugin is None:
            raise errdefs.Conflict("plugin removed")
        if plugin.enabled is self._is_disabled:
            raise errdefs.Conflict("plugin enabled" if plugin.enabled else "plugin disabled")
        ended = plugin.status.last_exit
        if ended is None or self._is_disabled or ended.exited_at_ns == self.record.exited_at_ns:
            return plugin
        code = "unknown" if ended.exit_code is None else ended.exit_code
        memory = ": it used more memory than its limit" if ended.oom_killed else ""
        raise errdefs.Conflict(
            f"plugin ended with exit code {code}{memory}", detail={"exit_code": ended.exit_code}
        )


def _has(record: TaskRecord, plugin_id: str) -> bool:
    return record.applied is not None and record.applied.plugin_id == plugin_id
