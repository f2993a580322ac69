"""Stores of nodes in memory, as batches see them: plugins, and jobs that end as a test says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from shared import errdefs
from shared.contracts.job import (
    BeginJob,
    GetJob,
    Job,
    JobEnded,
    JobKind,
    JobReply,
    JobRequest,
    JobState,
)
from shared.contracts.plugin import Plugin
from shared.contracts.pull import DescribePlugin, RemotePlugin
from shared.contracts.store import GetInventory, Inventory
from shared.contracts.upgrade import UpgradePhase
from shared.telemetry import context
from tests.support.controller import ControllerWorld

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NEW_CONFIG: dict[str, Any] = {"description": "new", "entrypoint": ["/p"]}


def installed(name: str, **changes: Any) -> Plugin:
    """Return an enabled plugin of the first version."""
    known = Plugin(
        plugin_id=(name.encode().hex() * 64)[:64],
        name=f"{name}:latest",
        reference="registry.example/p:v1",
        enabled=True,
        config={"Description": "old", "Entrypoint": ["/p"]},
        settings={"Env": [], "Args": [], "Mounts": [], "Devices": []},
        config_digest=OLD,
        manifest_digest=OLD,
        created_at_ns=1,
    )
    return known.model_copy(update=changes)


class FakeStores:
    """The stores and pull services of the nodes of a world, by node and plugin."""

    def __init__(self, world: ControllerWorld, plugins: dict[str, tuple[Plugin, ...]]) -> None:
        self.plugins = {node: {one.name: one for one in found} for node, found in plugins.items()}
        self.jobs: dict[tuple[str, str], Job] = {}
        self.requests: dict[str, JobRequest] = {}
        #: The trace that each was last begun in.
        self.traces: dict[str, str] = {}
        #: How often each was begun.
        self.begun = Counter[str]()
        #: Names of jobs under way, and the most of them at once.
        self.under_way: set[str] = set()
        self.most = 0
        #: Decides how a job ends: None is well.
        self.ends: Callable[[JobRequest], errdefs.Error | None] = lambda _request: None
        self.config = NEW_CONFIG
        self._may_end = world.fleet.may_end
        world.fleet.ends = lambda node, job_id: JobEnded(error=self._over(node, job_id).error)
        for node in plugins:
            answers: dict[Any, Any] = {
                GetInventory: self._inventory(node),
                DescribePlugin: self._describe,
                BeginJob: self._begin(node),
                GetJob: self._get(node),
            }
            for command, answer in answers.items():
                world.fleet.answers[node, command] = answer

    def hold(self) -> None:
        """Let no upgrade end until *release*."""
        self._may_end.clear()

    def release(self) -> None:
        """Let upgrades end."""
        self._may_end.set()

    def upgraded(self) -> set[str]:
        """Return the names of the plugins of the second version."""
        return {
            name
            for found in self.plugins.values()
            for name, one in found.items()
            if one.manifest_digest == NEW
        }

    def upgrades(self) -> Counter[str]:
        """Return how many upgrades each plugin has seen."""
        return Counter(one.name for one in self.requests.values() if one.kind is JobKind.UPGRADE)

    def _inventory(self, node: str) -> Any:
        return lambda _command: Inventory(
            epoch="e", revision=1, plugins=tuple(self.plugins[node].values())
        )

    def _describe(self, _command: DescribePlugin) -> RemotePlugin:
        return RemotePlugin(config=json.dumps(self.config), manifest_digest=NEW, layer_digests=())

    def _begin(self, node: str) -> Any:
        def begin(command: BeginJob) -> JobReply:
            self.begun[command.job_id] += 1
            self.traces[command.job_id] = context.traceparent()
            key = node, command.job_id
            if key not in self.jobs:
                self.requests[command.job_id] = command.request
                if command.request.kind is JobKind.UPGRADE:
                    self.under_way.add(command.job_id)
                    self.most = max(self.most, len(self.under_way))
                self.jobs[key] = Job(
                    job_id=command.job_id,
                    kind=command.request.kind,
                    state=JobState.RUNNING,
                    name=command.request.name,
                    remote=command.request.remote,
                    phase=UpgradePhase.PREFETCH,
                    created_at_ns=1,
                )
            return JobReply(job=self.jobs[key])

        return begin

    def _get(self, node: str) -> Any:
        async def get(command: GetJob) -> JobReply:
            await asyncio.sleep(0)
            return JobReply(job=self._over(node, command.job_id))

        return get

    def _over(self, node: str, job_id: str) -> Job:
        """Return a job, ended if it may."""
        key = node, job_id
        may_end = self._may_end.is_set() or self.jobs[key].kind is JobKind.PREFETCH
        if may_end and self.jobs[key].state is JobState.RUNNING:
            self.jobs[key] = self._ended(node, self.jobs[key])
        return self.jobs[key]

    def _ended(self, node: str, job: Job) -> Job:
        self.under_way.discard(job.job_id)
        request = self.requests[job.job_id]
        error = self.ends(request)
        if error is not None:
            phase = UpgradePhase.PREFETCH if error.retryable else UpgradePhase.ROLLBACK
            failed = {"state": JobState.FAILED, "error": error.to_wire(), "phase": phase}
            return job.model_copy(update=failed)
        if request.kind is JobKind.UPGRADE:
            plugin = self.plugins[node][request.name]
            new = request.restore or plugin.model_copy(
                update={"manifest_digest": request.pinned_digest, "reference": request.remote}
            )
            self.plugins[node][request.name] = new
        return job.model_copy(update={"state": JobState.DONE})
