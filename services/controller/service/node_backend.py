"""ports.PluginBackend: the plugins of a node, through messages to its store."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from services.controller import ports
from services.controller.domain import task
from services.controller.service.node_plugins import NodePlugins
from shared import errdefs
from shared.contracts.job import (
    BeginJob,
    CancelJob,
    GetJob,
    Job,
    JobKind,
    JobRequest,
    JobState,
    Sealed,
)
from shared.contracts.plugin import Plugin
from shared.contracts.reference import GetMode, GetPlugin, ListReferences, OwnerKind
from shared.contracts.store import DisablePlugin, EnablePlugin, RemovePlugin
from shared.oci.plugin_config import PluginInterfaceType

#: A question that is answered from memory.
_ANSWER_LIMIT_S: Final = 10.0
#: A verb waits its turn behind others on the plugin, and for a program to stop.
_VERB_LIMIT_S: Final = 120.0
#: A job is looked at when something changes on its node, and at least so often.
_LOOK_EVERY_S: Final = 1.0
#: A task whose controller does not come back holds its plugin no longer than this.
LEASE_S: Final = 24 * 3600
_OVER: Final = frozenset({JobState.DONE, JobState.FAILED})
_Verb = EnablePlugin | DisablePlugin | RemovePlugin

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBackend:
    """What one task has done on its node."""

    fleet: ports.Fleet
    node: str
    #: Names the jobs, so that whoever goes on with the task finds them.
    task_id: str
    plugins: NodePlugins
    #: Returns the service's login for a job, sealed to the node; None: it has none.
    login: Callable[[str], Sealed | None]

    async def get(self, name: str) -> Plugin | None:
        """Return a plugin by its name or id; None: there is none."""
        try:
            asked = ListReferences(name=name)
            found = await self.fleet.send(self.node, asked, timeout_s=_ANSWER_LIMIT_S)
        except errdefs.NotFound:
            return None
        return found.plugin

    async def pull(self, request: JobRequest) -> None:
        """Install a plugin; returns once it is there. Again, it goes on with what was begun."""
        await self._run(request)

    async def upgrade(self, request: JobRequest) -> None:
        """Replace a plugin by another version; as `pull`. One that runs is watched, or put back."""
        await self._run(request)

    async def abandon(self) -> None:
        """Call off what `pull` and `upgrade` began, and return once it is over; safe to repeat."""
        for kind in (JobKind.PULL, JobKind.UPGRADE):
            job_id = self._job_id(kind)
            try:
                await self.fleet.order(
                    self.node, CancelJob(job_id=job_id), timeout_s=_ANSWER_LIMIT_S
                )
                await self._ended(job_id)
            except errdefs.NotFound:
                continue  # it was never begun, or is long over

    async def enable(self, name: str, *, timeout_s: int) -> None:
        """Start a plugin; one that runs is success."""
        command = EnablePlugin(name=name, timeout_s=timeout_s)
        await self._do(command, lambda plugin: plugin is not None and plugin.enabled)

    async def disable(self, name: str, *, force: bool) -> None:
        """Stop a plugin; one that is stopped is success."""
        command = DisablePlugin(name=name, force=force)
        await self._do(command, lambda plugin: plugin is not None and not plugin.enabled)

    async def remove(self, name: str, *, force: bool) -> None:
        """Remove a plugin; one that is gone is success."""
        await self._do(RemovePlugin(name=name, force=force), lambda plugin: plugin is None)

    async def acquire(self, plugin: Plugin, task_id: str) -> None:
        """Hold a plugin that runs for a task; held already is success.

        One that has no capability cannot be held, nor one that was switched off just now: the
        task finds that out by itself.
        """
        capability = _capability(plugin)
        if not capability:
            return
        command = GetPlugin(
            name=plugin.plugin_id,
            capability=capability,
            mode=GetMode.ACQUIRE,
            owner=_owner(task_id),
            ttl_s=LEASE_S,
        )
        await self._refer(command)

    async def release(self, plugin: Plugin, task_id: str) -> None:
        """Hold a plugin no more for a task; not held is success."""
        owner = _owner(task_id)
        await self._refer(GetPlugin(name=plugin.plugin_id, mode=GetMode.RELEASE, owner=owner))

    def watch(self, plugin_id: str) -> AsyncGenerator[Plugin | None, None]:
        """Yield a plugin as it is now, then after each change of it; None: it is gone."""
        return self.plugins.watch(plugin_id)

    async def _run(self, request: JobRequest) -> None:
        """Have a job done: begun already, it is waited for."""
        job_id = self._job_id(request.kind)
        request = request.model_copy(update={"credentials": self.login(job_id)})
        command = BeginJob(job_id=job_id, request=request)
        await self.fleet.order(self.node, command, timeout_s=_VERB_LIMIT_S)
        job = await self._ended(job_id)
        if job.error is not None:
            raise _final(errdefs.from_wire(job.error))

    async def _ended(self, job_id: str) -> Job:
        while True:
            asked = GetJob(job_id=job_id)
            job = (await self.fleet.send(self.node, asked, timeout_s=_ANSWER_LIMIT_S)).job
            if job.state in _OVER:
                return job
            await self.plugins.moved(_LOOK_EVERY_S)

    async def _do(self, command: _Verb, is_done: Callable[[Plugin | None], bool]) -> None:
        """Send a verb; refused because it was done already, it is success."""
        try:
            await self.fleet.order(self.node, command, timeout_s=_VERB_LIMIT_S)
        except (errdefs.Conflict, errdefs.NotFound):
            if not is_done(await self.get(command.name)):
                raise

    async def _refer(self, command: GetPlugin) -> None:
        try:
            await self.fleet.order(self.node, command, timeout_s=_ANSWER_LIMIT_S)
        except (errdefs.Conflict, errdefs.NotFound, errdefs.InvalidArgument) as error:
            log.info("reference not changed", mode=command.mode, reason=error.message)

    def _job_id(self, kind: JobKind) -> str:
        return hashlib.sha256(f"{self.task_id}/{kind}".encode()).hexdigest()[:32]


def _final(error: errdefs.Error) -> errdefs.Error:
    """Return the error of a job that is over: whatever it was, the same job is not done again."""
    if task.is_temporary(error):
        return errdefs.Error(error.message)
    return error


def _capability(plugin: Plugin) -> str:
    types = (plugin.config.get("Interface") or {}).get("Types") or ()
    found = (PluginInterfaceType.parse(text) for text in types)
    return next((one.capability for one in found if one.prefix == "docker"), "")


def _owner(task_id: str) -> str:
    return f"{OwnerKind.TASK}/{task_id}"
