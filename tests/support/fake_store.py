"""A node's store as the controller's messages reach it: plugins and jobs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from shared import errdefs
from shared.contracts.executor import Exit
from shared.contracts.job import (
    BeginJob,
    CancelJob,
    GetJob,
    Job,
    JobKind,
    JobReply,
    JobRequest,
    JobState,
)
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.reference import GetMode, GetPlugin, GotPlugin, ListReferences, ReferenceList
from shared.contracts.store import (
    Changed,
    DisablePlugin,
    EnablePlugin,
    GetInventory,
    Inventory,
    PluginChanged,
    RemovePlugin,
)
from tests.support.bus import Answer
from tests.support.plugin_backend import installed


class FakeStore:
    """Jobs end as soon as they begin, unless they are to *hang* or to fail with *job_error*."""

    def __init__(self) -> None:
        self.plugins: dict[str, Plugin] = {}
        self.jobs: dict[str, Job] = {}
        self.requests: list[JobRequest] = []
        self.done: list[str] = []
        self.owners: set[str] = set()
        self.hangs = False
        self.job_error: errdefs.Error | None = None
        #: Raised by everything while set: the node does not answer.
        self.away: errdefs.Error | None = None
        #: Where the controller hears of changes.
        self.news: asyncio.Queue[Any] = asyncio.Queue()
        self._revision = 0

    def answers(self, node: str) -> Mapping[Any, Answer]:
        """Return what a FakeFleet answers for a node."""
        handlers: dict[type[Any], Any] = {
            GetInventory: self._inventory,
            ListReferences: self._references,
            GetPlugin: self._refer,
            BeginJob: self._begin,
            GetJob: self._job,
            CancelJob: self._cancel,
            EnablePlugin: lambda c: self._switch(c.name, enabled=True),
            DisablePlugin: lambda c: self._switch(c.name, enabled=False),
            RemovePlugin: self._remove,
        }
        return {(node, kind): self._present(handler) for kind, handler in handlers.items()}

    def named(self, name: str) -> Plugin:
        """Return a plugin by name or id."""
        found = [p for p in self.plugins.values() if name in (p.name, p.plugin_id)]
        if not found:
            raise errdefs.NotFound(f'plugin "{name}" not found')
        return found[0]

    def crash(self, name: str, exit_code: int, at_ns: int) -> None:
        """Let a plugin end unasked and run again."""
        plugin = self.named(name)
        ended = Exit(exit_code=exit_code, exited_at_ns=at_ns)
        status = plugin.status.model_copy(update={"last_exit": ended})
        self._put(plugin.model_copy(update={"status": status}))

    def _present(self, handler: Any) -> Answer:
        def answer(command: Any) -> Any:
            return self.away or handler(command)

        return answer

    def _inventory(self, _command: GetInventory) -> Inventory:
        return Inventory(epoch="e", revision=self._revision, plugins=tuple(self.plugins.values()))

    def _references(self, command: ListReferences) -> ReferenceList:
        return ReferenceList(plugin=self.named(command.name), references=())

    def _refer(self, command: GetPlugin) -> GotPlugin:
        if command.mode is GetMode.ACQUIRE:
            self.owners.add(command.owner)
        else:
            self.owners.discard(command.owner)
        return GotPlugin(plugin=self.named(command.name))

    def _begin(self, command: BeginJob) -> JobReply:
        if command.job_id not in self.jobs:
            self.requests.append(command.request)
            self._keep(command.job_id, command.request, JobState.RUNNING)
            if not self.hangs:
                self.finish(command.job_id)
        return JobReply(job=self.jobs[command.job_id])

    def finish(self, job_id: str) -> None:
        """End a job."""
        job = self.jobs[job_id]
        request = next(r for r in self.requests if r.name == job.name and r.kind is job.kind)
        if self.job_error is not None:
            error = self.job_error.to_wire()
            self.jobs[job_id] = job.model_copy(update={"state": JobState.FAILED, "error": error})
            return
        self.done.append(str(job.kind))
        plugin = installed(request.name, request.remote, request.swarm_service_id)
        if request.kind is JobKind.UPGRADE:
            old = self.named(request.name)
            plugin = plugin.model_copy(update={"enabled": old.enabled, "status": old.status})
        self.jobs[job_id] = job.model_copy(update={"state": JobState.DONE})
        self._put(plugin)

    def _keep(self, job_id: str, request: JobRequest, state: JobState) -> None:
        self.jobs[job_id] = Job(
            job_id=job_id,
            kind=request.kind,
            state=state,
            name=request.name,
            remote=request.remote,
            created_at_ns=0,
        )

    def _job(self, command: GetJob) -> JobReply:
        if command.job_id not in self.jobs:
            raise errdefs.NotFound(f"job {command.job_id} not found")
        return JobReply(job=self.jobs[command.job_id])

    def _cancel(self, command: CancelJob) -> JobReply:
        reply = self._job(GetJob(job_id=command.job_id))
        if reply.job.state is JobState.RUNNING:
            self.done.append("cancel")
            error = errdefs.Conflict("cancelled", detail={"job": command.job_id}).to_wire()
            changes = {"state": JobState.FAILED, "error": error}
            self.jobs[command.job_id] = reply.job.model_copy(update=changes)
        return self._job(GetJob(job_id=command.job_id))

    def _switch(self, name: str, *, enabled: bool) -> Changed:
        plugin = self.named(name)
        if plugin.enabled is enabled:
            raise errdefs.Conflict("plugin is so already")
        self.done.append("enable" if enabled else "disable")
        state = PluginState.RUNNING if enabled else PluginState.STOPPED
        status = plugin.status.model_copy(update={"state": state, "container_id": "c-1"})
        self._put(plugin.model_copy(update={"enabled": enabled, "status": status}))
        return Changed(epoch="e", revision=self._revision)

    def _remove(self, command: RemovePlugin) -> Changed:
        plugin = self.named(command.name)
        self.done.append("remove")
        del self.plugins[plugin.plugin_id]
        self._tell(plugin.plugin_id, None)
        return Changed(epoch="e", revision=self._revision)

    def _put(self, plugin: Plugin) -> None:
        self.plugins[plugin.plugin_id] = plugin
        self._tell(plugin.plugin_id, plugin)

    def _tell(self, plugin_id: str, plugin: Plugin | None) -> None:
        self._revision += 1
        change = PluginChanged(
            epoch="e", revision=self._revision, plugin_id=plugin_id, plugin=plugin
        )
        self.news.put_nowait(change)
