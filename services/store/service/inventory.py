"""The plugins in memory, always as the database last committed them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection

from services.store import ports
from services.store.domain import handover, job
from services.store.domain.job import JobRecord
from services.store.domain.operation import Operation, Unit, Unsynced
from services.store.service.nudges import Nudges
from services.store.service.past_jobs import PastJobs
from shared import errdefs
from shared.contracts import plugin as plugins
from shared.contracts.job import JobKind, JobState
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference
from shared.contracts.store import Changed, Inventory


class PluginInventory:
    """What exists: looked up in memory, changed only through a commit."""

    def __init__(self, records: ports.Records, *, committed: Callable[[], None]) -> None:
        """Read and write *records*; call *committed* when there is something to publish."""
        self._records = records
        self._committed = committed
        self._listeners: list[Callable[[Changed], None]] = []
        self._plugins: dict[str, Plugin] = {}
        self._id_by_name: dict[str, str] = {}
        #: Jobs that are not over: a few, where a week's are kept.
        self._live: dict[str, JobRecord] = {}
        self._past = PastJobs()
        #: By plugin, then by owner.
        self._references: dict[str, dict[str, Reference]] = {}
        #: By plugin.
        self._unsynced: dict[str, Unsynced] = {}
        self._epoch = ""
        self._revision = 0
        #: Told of each commit about a plugin, its leases or its jobs.
        self.nudges = Nudges()

    async def load(self) -> tuple[Operation, ...]:
        """Read the database; return the operations that a crash interrupted."""
        loaded = await self._records.load()
        self._epoch, self._revision = loaded.epoch, loaded.revision
        for plugin in loaded.plugins:
            self._put(plugin)
        for record in loaded.jobs:
            self._keep_job(record)
        for reference in loaded.references:
            self._keep(reference)
        self._unsynced = {one.plugin_id: one for one in loaded.unsynced}
        return loaded.operations

    def on_commit(self, listener: Callable[[Changed], None]) -> None:
        """Have *listener* called with what each commit changed, once that is shown here."""
        self._listeners.append(listener)

    @property
    def epoch(self) -> str:
        """Return the epoch that the revisions belong to."""
        return self._epoch

    def all(self) -> tuple[Plugin, ...]:
        """Return all plugins."""
        return tuple(self._plugins.values())

    def get(self, plugin_id: str) -> Plugin | None:
        """Return a plugin by its full id."""
        return self._plugins.get(plugin_id)

    def resolve(self, raw: str) -> Plugin:
        """Return the plugin that a person named; raises NotFound or InvalidArgument."""
        return self._plugins[plugins.resolve(raw, self._id_by_name, self._plugins.keys())]

    def require(self, plugin_id: str, raw: str) -> Plugin:
        """Return a plugin by id; raises NotFound, naming it as the person did, when it is gone."""
        plugin = self._plugins.get(plugin_id)
        if plugin is None:
            raise errdefs.NotFound(f'plugin "{raw}" not found', detail={"plugin": raw})
        return plugin

    def require_idle(self, plugin_id: str, raw: str) -> Plugin:
        """Return a plugin that no job has in its hands; raises as require and require_free."""
        plugin = self.require(plugin_id, raw)
        self.require_free(plugin.name)
        return plugin

    def is_taken(self, name: str) -> bool:
        """Tell whether a plugin has this name."""
        return name in self._id_by_name

    def by_container(self, container_id: str) -> Plugin | None:
        """Return the plugin that runs in a container."""
        for plugin in self._plugins.values():
            if plugin.status.container_id == container_id:
                return plugin
        return None

    def rootfs(self, plugin_id: str) -> frozenset[str]:
        """Return the names of a plugin's root file systems: an upgrade may have two of it."""
        plugin, record = self._plugins.get(plugin_id), self.upgrade_of(plugin_id)
        journal = record.handover if record is not None else None
        versions = () if journal is None else (journal.old, journal.new)
        return frozenset(one.rootfs for one in (plugin, *versions) if one is not None)

    def unsynced(self) -> tuple[Unsynced, ...]:
        """Return the root file systems that may not be on the disk yet."""
        return tuple(self._unsynced.values())

    async def synced(self, done: Collection[Unsynced]) -> None:
        """Forget root file systems that are on the disk now."""
        await self._records.synced(done)
        for one in done:
            if self._unsynced.get(one.plugin_id) == one:
                del self._unsynced[one.plugin_id]

    def upgrade_of(self, plugin_id: str) -> JobRecord | None:
        """Return the upgrade that is decided and has an enabled plugin in its hands."""
        plugin = self._plugins.get(plugin_id)
        record = self.live_job(plugin.name) if plugin is not None else None
        return record if record is not None and record.handover is not None else None

    def is_upgraded_alone(self, plugin_id: str) -> bool:
        """Tell whether an upgrade, and not the supervisor, decides what follows an exit."""
        record = self.upgrade_of(plugin_id)
        return record is not None and handover.is_in_charge(
            record.request.strategy, record.job.phase
        )

    def owner_of(self, container_id: str) -> str | None:
        """Return the id of the plugin that a container is of; an upgrade may run two of it."""
        if (plugin := self.by_container(container_id)) is not None:
            return plugin.plugin_id
        for record in self._live.values():
            journal = record.handover
            if journal is not None and container_id in handover.containers(journal):
                return journal.old.plugin_id
        return None

    def references(self, plugin_id: str) -> tuple[Reference, ...]:
        """Return the leases on a plugin, with those that ran out and were not dropped yet."""
        return tuple(self._references.get(plugin_id, {}).values())

    def all_references(self) -> tuple[Reference, ...]:
        """Return the leases on all plugins."""
        return tuple(one for held in self._references.values() for one in held.values())

    def jobs(self) -> tuple[JobRecord, ...]:
        """Return all jobs that are kept, oldest first."""
        found = (*self._past.all(), *self._live.values())
        return tuple(sorted(found, key=lambda record: record.job.created_at_ns))

    def job_counts(self) -> Counter[tuple[JobKind, JobState]]:
        """Return how many jobs are kept of each kind and state."""
        live = Counter((record.job.kind, record.job.state) for record in self._live.values())
        return live + self._past.counts()

    def live_jobs(self) -> tuple[JobRecord, ...]:
        """Return the jobs that are not over, oldest first."""
        return tuple(self._live.values())

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job."""
        return self._live.get(job_id) or self._past.get(job_id)

    def require_job(self, job_id: str) -> JobRecord:
        """Return a job; raises NotFound."""
        record = self.job(job_id)
        if record is None:
            raise errdefs.NotFound(f"job {job_id} not found", detail={"job": job_id})
        return record

    def live_job(self, name: str) -> JobRecord | None:
        """Return the job that has a plugin, or its name, in its hands."""
        return next((r for r in self._live.values() if r.job.name == name), None)

    def require_free(self, name: str) -> None:
        """Raise Conflict, naming the job, while a job has the plugin or name in its hands."""
        record = self.live_job(name)
        if record is not None:
            raise job.held(record)

    def blobs(self, now_ns: int) -> set[str]:
        """Return the digests that plugins and jobs need."""
        needed: set[str] = set()
        journals = [r.handover for r in self._live.values() if r.handover is not None]
        replaced = (version for journal in journals for version in (journal.old, journal.new))
        for plugin in (*self._plugins.values(), *replaced):
            needed.update(job.blobs_of(plugin))
        for record in self._live.values():
            needed.update(record.blobs)
        needed.update(self._past.blobs(now_ns))
        return needed

    def snapshot(self) -> Inventory:
        """Return all plugins at the present revision."""
        return Inventory(epoch=self._epoch, revision=self._revision, plugins=self.all())

    async def replied(self, message_id: str) -> Changed | None:
        """Return the reply that a command was already given."""
        return await self._records.replied(message_id)

    async def commit(self, unit: Unit) -> ports.Committed:
        """Commit a unit, then show it; see ports.Records.commit.

        Who is cancelled meanwhile hears of it once the commit is done, and shown: what it then
        finds here is what the database has.
        """
        committing = asyncio.create_task(self._commit(unit))
        try:
            return await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.gather(committing, return_exceptions=True)
            raise

    async def _commit(self, unit: Unit) -> ports.Committed:
        committed = await self._records.commit(unit)
        self._revision = max(self._revision, committed.changed.revision)
        if unit.job is not None:
            self._keep_job(unit.job)
        if unit.lease is not None:
            self._keep(unit.lease)
        for reference in unit.dropped:
            self._references.get(reference.plugin_id, {}).pop(reference.owner, None)
        for change in committed.changed.changes:
            if change.plugin is None:
                self._drop(change.plugin_id)
                self._references.pop(change.plugin_id, None)
                self._unsynced.pop(change.plugin_id, None)
            else:
                self._put(change.plugin)
        if unit.unsynced is not None:
            self._unsynced[unit.unsynced.plugin_id] = unit.unsynced
        self._committed()
        for plugin_id in unit.plugin_ids():
            self.nudges.nudge(plugin_id)
        for listener in self._listeners:
            listener(committed.changed)
        return committed

    def _keep_job(self, record: JobRecord) -> None:
        if record.is_live:
            self._live[record.job.job_id] = record
        else:
            self._live.pop(record.job.job_id, None)
            self._past.put(record)

    def _keep(self, reference: Reference) -> None:
        self._references.setdefault(reference.plugin_id, {})[reference.owner] = reference

    def _put(self, plugin: Plugin) -> None:
        self._drop(plugin.plugin_id)
        self._plugins[plugin.plugin_id] = plugin
        self._id_by_name[plugin.name] = plugin.plugin_id

    def _drop(self, plugin_id: str) -> None:
        gone = self._plugins.pop(plugin_id, None)
        if gone is not None:
            del self._id_by_name[gone.name]
