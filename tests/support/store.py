"""The store's ports in memory, and a store put together on them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.store import ports
from services.store.domain import consent, declaration, status
from services.store.domain.job import JobRecord
from services.store.domain.operation import Change, Operation, Unit, Unsynced
from services.store.domain.registration import HandlerRecord, Key
from services.store.domain.registration import Kind as Registered
from services.store.domain.restart import Backoff
from services.store.domain.secret import SecretRecord
from services.store.service.inventory import PluginInventory
from services.store.service.store import Store, Times
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.capability import RuntimeOption
from shared.contracts.job import StagedBlob
from shared.contracts.plugin import Consent, Plugin
from shared.contracts.reference import Reference
from shared.contracts.store import Changed, PluginChanged
from shared.oci import privileges
from shared.oci.plugin_config import PluginConfig
from shared.oci.plugin_extension import PluginExtension
from shared.oci.settings import initial_settings
from shared.telemetry import context
from tests.support.executor import FakeExecutor

CONFIG = b"""{"description": "d", "interface": {"types": ["docker.volumedriver/1.0"],
 "socket": "p.sock"}, "entrypoint": ["/p"], "network": {"type": "host"},
 "env": [{"name": "DEBUG", "value": "0", "settable": ["value"]}]}"""

_ids = itertools.count(1)


class FakeRecords:
    """A ports.Records that outlives the store that uses it, as a database does."""

    def __init__(self) -> None:
        self.plugins: dict[str, Plugin] = {}
        self.operations: dict[int, Operation] = {}
        self.jobs: dict[str, JobRecord] = {}
        self.leases: dict[tuple[str, str], Reference] = {}
        self.unsynced: list[Unsynced] = []
        self.inbox: dict[str, Changed] = {}
        self.outbox: list[PluginChanged] = []
        #: Raised by commits, while set; and how often it was.
        self.refusal: errdefs.Error | None = None
        self.refused = 0
        #: How many commits succeed before the database is as one whose process was killed.
        self.dies_after: int | None = None
        self._token = 0

    async def load(self) -> ports.Loaded:
        """Read everything."""
        return ports.Loaded(
            epoch="e",
            revision=len(self.outbox),
            plugins=tuple(self.plugins.values()),
            operations=tuple(self.operations.values()),
            jobs=tuple(self.jobs.values()),
            references=tuple(self.leases.values()),
            unsynced=tuple(self.unsynced),
        )

    async def synced(self, done: Collection[Unsynced]) -> None:
        """Forget root file systems that are on the disk now."""
        if self.is_dead:
            raise errdefs.Unavailable("the database is gone")
        self.unsynced = [one for one in self.unsynced if one not in done]

    async def commit(self, unit: Unit) -> ports.Committed:
        """Commit a unit whole."""
        await asyncio.sleep(0)  # a commit takes its time: others come in between
        if self.dies_after is not None:
            if self.is_dead:
                raise errdefs.Unavailable("the database is gone")
            self.dies_after -= 1
        if self.refusal is not None:
            self.refused += 1
            raise self.refusal
        if unit.end is not None and unit.end not in self.operations:
            raise errdefs.Conflict("stale token")
        names = {plugin.name: plugin_id for plugin_id, plugin in self.plugins.items()}
        for change in unit.changes:
            if (
                change.plugin
                and names.get(change.plugin.name, change.plugin_id) != change.plugin_id
            ):
                raise errdefs.AlreadyExists(f"plugin {change.plugin.name} already exists")
        if unit.end is not None:
            del self.operations[unit.end]
        if unit.job is not None:
            self.jobs[unit.job.job.job_id] = unit.job
        self._write_leases(unit)
        self._write_unsynced(unit)
        operation = self._begin(unit.begin) if unit.begin else None
        changes = tuple(self._write(change) for change in unit.changes)
        changed = Changed(epoch="e", revision=len(self.outbox), changes=changes)
        if unit.answers:
            self.inbox[unit.answers] = changed
        return ports.Committed(changed=changed, operation=operation)

    async def replied(self, message_id: str) -> Changed | None:
        """Return the reply that a command was already given."""
        return self.inbox.get(message_id)

    @property
    def is_dead(self) -> bool:
        """Tell whether nothing is committed any more."""
        return self.dies_after == 0

    def actions(self) -> list[str]:
        """Return what happened, in order."""
        return [fact.action for message in self.outbox for fact in message.facts]

    def _begin(self, operation: Operation) -> Operation:
        if any(other.plugin_id == operation.plugin_id for other in self.operations.values()):
            raise errdefs.Conflict("another operation is under way")
        self._token += 1
        begun = Operation(
            token=self._token,
            plugin_id=operation.plugin_id,
            kind=operation.kind,
            message_id=operation.message_id,
            container_id=operation.container_id,
        )
        self.operations[self._token] = begun
        return begun

    def _write_leases(self, unit: Unit) -> None:
        if unit.lease is not None:
            self.leases[unit.lease.plugin_id, unit.lease.owner] = unit.lease
        gone = {change.plugin_id for change in unit.changes if change.plugin is None}
        ended = {(one.plugin_id, one.owner) for one in unit.dropped}
        kept = {k: v for k, v in self.leases.items() if k not in ended and k[0] not in gone}
        self.leases = kept

    def _write_unsynced(self, unit: Unit) -> None:
        gone = {change.plugin_id for change in unit.changes if change.plugin is None}
        noted = () if unit.unsynced is None else (unit.unsynced,)
        gone |= {one.plugin_id for one in noted}
        self.unsynced = [*(one for one in self.unsynced if one.plugin_id not in gone), *noted]

    def _write(self, change: Change) -> PluginChanged:
        is_new = change.plugin is not None and change.plugin_id not in self.plugins
        if change.plugin is None:
            self.plugins.pop(change.plugin_id, None)
        else:
            self.plugins[change.plugin_id] = change.plugin
        message = PluginChanged(
            epoch="e",
            revision=len(self.outbox) + 1,
            plugin_id=change.plugin_id,
            plugin=change.plugin,
            facts=change.facts,
            created=is_new,
        )
        self.outbox.append(message)
        return message


class FakeSecrets:
    """A ports.Secrets in a dict."""

    def __init__(self) -> None:
        self.records: dict[str, SecretRecord] = {}

    async def all(self) -> tuple[SecretRecord, ...]:
        return tuple(self.records[name] for name in sorted(self.records))

    async def put(self, records: Sequence[SecretRecord]) -> None:
        self.records |= {record.secret.name: record for record in records}

    async def drop(self, name: str) -> bool:
        return self.records.pop(name, None) is not None


class FakeRegistrations:
    """A ports.Registrations in dicts."""

    def __init__(self) -> None:
        self.handlers: dict[Key, HandlerRecord] = {}
        self.options: dict[Key, RuntimeOption] = {}
        self.writes = 0

    async def load(self) -> ports.Registered:
        """Read all."""
        return ports.Registered(
            handlers=tuple(self.handlers.values()), options=tuple(self.options.values())
        )

    async def keep_handler(self, record: HandlerRecord) -> None:
        """Keep a handler."""
        self.writes += 1
        self.handlers[record.key] = record

    async def keep_option(self, option: RuntimeOption) -> None:
        """Keep an option."""
        self.writes += 1
        self.options[Key.of(option.owner, option.key)] = option

    async def drop(self, kind: Registered, key: Key) -> None:
        """Forget a registration."""
        self.writes += 1
        kept: dict[Key, Any] = self.handlers if kind is Registered.HANDLER else self.options
        kept.pop(key, None)


class FakeContent:
    """A ports.Content that keeps digests, and the bytes that a test gives it."""

    def __init__(self) -> None:
        self.digests: set[str] = set()
        self.bodies: dict[str, bytes] = {}

    async def put(self, data: bytes) -> ports.Blob:
        """Keep the digest of *data*; the same bytes give the same one."""
        blob = ports.Blob(digest=f"sha256:{hash(data) & (2**256 - 1):064x}", size=len(data))
        self.digests.add(blob.digest)
        return blob

    async def commit_staged(self, work_id: str, staged: Sequence[StagedBlob]) -> None:
        """Keep the digests of files that a job wrote."""
        self.digests |= {blob.digest for blob in staged}

    async def known(self, digests: Collection[str]) -> tuple[str, ...]:
        """Return which digests are kept."""
        return tuple(digest for digest in digests if digest in self.digests)

    async def read(self, digest: str) -> bytes | None:
        """Return the bytes of a blob that is kept."""
        return self.bodies.get(digest) if digest in self.digests else None

    async def sweep(
        self, keep: Collection[str], *, dry_run: bool = False
    ) -> tuple[ports.Blob, ...]:
        """Forget all but *keep*."""
        gone = self.digests - set(keep)
        if not dry_run:
            self.digests -= gone
        return tuple(ports.Blob(digest=digest, size=1) for digest in sorted(gone))


class FakeFolders:
    """A ports.Folders that keeps sets of ids."""

    def __init__(self) -> None:
        self.staged: set[str] = set()
        self.installed: set[str] = set()
        #: Root file systems by plugin, in the order of their coming.
        self.rootfs_of: dict[str, list[str]] = {}
        self.contexts: dict[Path, bytes | errdefs.Error] = {}
        #: Root file systems that a loss of power would take.
        self.unsynced: set[str] = set()
        self.may_sync = asyncio.Event()
        self.may_sync.set()
        self.sync_refusal: OSError | None = None
        #: Root file systems and the layers that they were made of.
        self.rebuilt: list[tuple[str, tuple[str, ...]]] = []
        #: What an install ends with when half of it is done.
        self.refusal: errdefs.Error | None = None
        #: Raised by what moves files aside, while set; and how often it was.
        self.move_refusal: Exception | None = None
        self.moves_refused = 0

    def home(self, plugin_id: str) -> Path:
        """Return the folder of a plugin."""
        return Path("/plugins") / plugin_id

    def rootfs(self, plugin_id: str, name: str) -> Path:
        """Return a root file system of a plugin."""
        return self.home(plugin_id) / name

    def propagated(self, plugin_id: str) -> Path:
        """Return the propagated mount of a plugin."""
        return self.home(plugin_id) / "propagated-mount"

    async def unpack_context(self, context: Path, plugin_id: str) -> ports.UnpackedContext:
        """Stage a context whose config is what *contexts* says."""
        self.staged.add(plugin_id)
        config = self.contexts[context]
        if isinstance(config, errdefs.Error):
            raise config
        blob = ports.Blob(digest=f"sha256:{'a' * 64}", size=1)
        return ports.UnpackedContext(config=config, layer=blob, diff_id=f"sha256:{'b' * 64}")

    async def install(
        self, work_id: str, plugin_id: str, rootfs: str, *, is_synced: bool = True
    ) -> None:
        """Move a plugin, or another version of it, into place."""
        self.staged.discard(work_id)
        self.installed.add(plugin_id)
        if self.refusal is not None:
            raise self.refusal
        self.rootfs_of.setdefault(plugin_id, []).append(rootfs)
        if not is_synced:
            self.unsynced.add(f"{plugin_id}/{rootfs}")

    async def sync(self) -> None:
        """Put on the disk what was installed, unless the test says otherwise."""
        await self.may_sync.wait()
        if self.sync_refusal is not None:
            raise self.sync_refusal
        self.unsynced.clear()

    def is_installed(self, plugin_id: str, rootfs: str) -> bool:
        """Tell whether a plugin has a root file system of this name."""
        return rootfs in self.rootfs_of.get(plugin_id, ())

    async def rebuild(self, plugin_id: str, rootfs: str, layers: Sequence[str]) -> None:
        """Make a root file system anew."""
        await self.drop_rootfs(plugin_id, rootfs)
        if self.refusal is not None:
            raise self.refusal
        self.rebuilt.append((f"{plugin_id}/{rootfs}", tuple(layers)))
        await self.install(plugin_id, plugin_id, rootfs)

    async def put_back(self, work_id: str, plugin_id: str, rootfs: str) -> bool:
        """Take a plugin, or another version of it, out of its place."""
        is_there = rootfs in self.rootfs_of.get(plugin_id, ())
        if is_there:
            self.staged.add(work_id)
            await self.drop_rootfs(plugin_id, rootfs)
        return is_there

    async def drop_rootfs(self, plugin_id: str, rootfs: str) -> None:
        """Drop one version of a plugin; its last one is all of it."""
        self._refuse_move()
        kept = [one for one in self.rootfs_of.get(plugin_id, ()) if one != rootfs]
        self.rootfs_of[plugin_id] = kept
        if not kept:
            self.installed.discard(plugin_id)

    async def discard(self, work_id: str) -> None:
        """Drop staged files."""
        self.staged.discard(work_id)

    async def bury(self, plugin_id: str) -> None:
        """Drop an installed plugin."""
        self._refuse_move()
        self.installed.discard(plugin_id)
        self.rootfs_of.pop(plugin_id, None)

    async def sweep(
        self, plugins: Mapping[str, Collection[str]], work: Collection[str]
    ) -> ports.Swept:
        """Drop what is not to be kept."""
        swept = ports.Swept(
            folders=tuple(sorted(self.installed - set(plugins))), work=len(self.staged - set(work))
        )
        self.staged &= set(work)
        self.installed &= set(plugins)
        for plugin_id, held in self.rootfs_of.items():
            kept = plugins.get(plugin_id, ())
            self.rootfs_of[plugin_id] = [one for one in held if one in kept]
        return swept

    def trash(self) -> Path:
        """Return the folder of what is being deleted."""
        return Path("/trash")

    async def empty_trash(self) -> None:
        """Delete nothing: nothing is kept."""

    async def drop_context(self, context: Path) -> None:
        """Delete a spooled context."""
        self.contexts.pop(context, None)

    def _refuse_move(self) -> None:
        if self.move_refusal is not None:
            self.moves_refused += 1
            raise self.move_refusal


class FakeBoot:
    """A ports.Boot of a host that a test starts anew."""

    def __init__(self) -> None:
        self.is_new = False

    def is_another(self) -> bool:
        """Tell what the test said."""
        return self.is_new

    async def note(self) -> None:
        """Note this start."""
        self.is_new = False


class FakeQueue:
    """A ports.JobQueue and ports.JobFeed that keep what they were told."""

    def __init__(self) -> None:
        self.queued: list[str] = []
        self.patient: list[str] = []
        #: The trace that each was queued in.
        self.traces: list[str] = []
        self.failed: dict[str, errdefs.Error] = {}
        self.told: dict[str, list[str]] = {}
        self.done: dict[str, Changed] = {}

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Keep the job's id."""
        self.queued.append(job_id)
        self.traces.append(context.traceparent())
        if is_patient:
            self.patient.append(job_id)

    async def tell(self, job_id: str, line: str) -> None:
        """Keep the line."""
        self.told.setdefault(job_id, []).append(line)

    async def tell_done(self, job_id: str, changed: Changed) -> None:
        """Keep what changed."""
        self.done[job_id] = changed

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Keep the error."""
        self.failed[job_id] = error


class FakeClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 10**18
        #: How much passes from one look to the next.
        self.passing_s = 0.0

    def __call__(self) -> int:
        self.advance(self.passing_s)
        return self.now_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * 1e9)


def delivery(message_id: str | None = None) -> Delivery:
    """Return the arrival of a message that nobody else has sent."""
    return Delivery(
        message_id=message_id or f"m{next(_ids)}",
        stream_id="1-0",
        attempt=1,
        deadline_ns=None,
        source="test",
        correlation="",
    )


class StoreUnderTest(Store):
    """A store on fakes; a second one on the same records is the first after a crash."""

    def __init__(
        self,
        records: FakeRecords | None = None,
        executor: FakeExecutor | None = None,
        backoff: Backoff | None = None,
        requires_timeout_s: float = 5,
        fake_folders: FakeFolders | None = None,
        registrations: FakeRegistrations | None = None,
    ) -> None:
        self.records = records or FakeRecords()
        self.executor = executor or FakeExecutor()
        self.fake_clock = FakeClock()
        self.requires_timeout_s = requires_timeout_s
        self.fake_folders = fake_folders or FakeFolders()
        self.content = FakeContent()
        self.queue = FakeQueue()
        self.boot = FakeBoot()
        self.fake_registrations = registrations or FakeRegistrations()
        self.fake_secrets = FakeSecrets()
        super().__init__(
            secrets=self.fake_secrets,
            inventory=PluginInventory(self.records, committed=lambda: None),
            sender=self.executor,
            folders=self.fake_folders,
            boot=self.boot,
            content=self.content,
            queue=self.queue,
            registrations=self.fake_registrations,
            feed=self.queue,
            clock=self.fake_clock,
            times=Times(
                ready_timeout_s=1,
                stop_grace_s=1,
                requires_timeout_s=requires_timeout_s,
                backoff=backoff or Backoff(),
            ),
        )

    async def install(
        self,
        name: str = "p",
        *,
        enabled: bool = False,
        config_json: bytes = CONFIG,
        extension: PluginExtension | None = None,
    ) -> Plugin:
        """Put a plugin into the inventory, as if it had been created before."""
        config = PluginConfig.from_json(config_json)
        number = next(_ids)
        plugin = Plugin(
            plugin_id=f"{number:064x}"[::-1],
            name=f"{name}:latest",
            reference=f"{name}:latest",
            enabled=enabled,
            config=config.to_dict(),
            extension=extension or declaration.parse(config_json),
            settings=initial_settings(config).to_dict(),
            config_digest=f"sha256:{number:064x}",
            manifest_digest=f"sha256:{number + 1:064x}",
            grant=consent.granted(privileges.compute(config), Consent.CREATED, 0),
            created_at_ns=0,
        )
        if enabled:
            plugin = status.starting(plugin)
        await self.inventory.commit(Unit(changes=(Change.of(plugin),)))
        return plugin

    async def restarted(self, *, with_host: bool = False) -> StoreUnderTest:
        """Return the store as it comes up after a kill -9 of this one, or a reboot."""
        await self.close()
        again = StoreUnderTest(
            self.records,
            self.executor,
            requires_timeout_s=self.requires_timeout_s,
            fake_folders=self.fake_folders,
            registrations=self.fake_registrations,
        )
        again.boot.is_new = with_host
        await again.start()
        return again

    def now(self, plugin: Plugin) -> Plugin:
        """Return a plugin's present record."""
        found = self.inventory.get(plugin.plugin_id)
        assert found is not None
        return found
