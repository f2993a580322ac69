"""What the store needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.store.domain.job import JobRecord
from services.store.domain.operation import Operation, Unit, Unsynced
from services.store.domain.registration import HandlerRecord, Key, Kind
from services.store.domain.secret import SecretRecord
from shared import errdefs
from shared.contracts.capability import RuntimeOption
from shared.contracts.job import StagedBlob
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference
from shared.contracts.store import Changed

#: Nanoseconds since the epoch.
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All that the database held when it was opened."""

    epoch: str
    revision: int
    plugins: tuple[Plugin, ...]
    operations: tuple[Operation, ...]
    jobs: tuple[JobRecord, ...]
    references: tuple[Reference, ...]
    unsynced: tuple[Unsynced, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit gave: the reply, and the operation with its token if one began."""

    changed: Changed
    operation: Operation | None


class Records(Protocol):
    """The store's database."""

    async def load(self) -> Loaded:
        """Read everything."""
        ...

    async def commit(self, unit: Unit) -> Committed:
        """Commit a unit whole, numbering its changes.

        Raises AlreadyExists for a name that is taken, Conflict for a plugin that already has an
        operation, a name that already has a job, or a token that is no longer valid.
        """
        ...

    async def replied(self, message_id: str) -> Changed | None:
        """Return the reply that a command was already given."""
        ...

    async def synced(self, done: Collection[Unsynced]) -> None:
        """Forget root file systems that are on the disk now; others of their plugins stay."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What services had registered when the database was opened."""

    handlers: tuple[HandlerRecord, ...] = ()
    options: tuple[RuntimeOption, ...] = ()


class Secrets(Protocol):
    """The secrets of plugins, sealed."""

    async def all(self) -> tuple[SecretRecord, ...]:
        """Read all, by name."""
        ...

    async def put(self, records: Sequence[SecretRecord]) -> None:
        """Write secrets in the place of those of their names, all of them or none."""
        ...

    async def drop(self, name: str) -> bool:
        """Delete a secret; tell whether it was there."""
        ...


class Registrations(Protocol):
    """What services want for plugins of a capability, on disk before it returns."""

    async def load(self) -> Registered:
        """Read all."""
        ...

    async def keep_handler(self, record: HandlerRecord) -> None:
        """Write a handler's record in the place of the one before."""
        ...

    async def keep_option(self, option: RuntimeOption) -> None:
        """Write an option in the place of the one before."""
        ...

    async def drop(self, kind: Kind, key: Key) -> None:
        """Delete a registration; none is success."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes in the content store."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedContext:
    """A plugin context, taken apart: its root file system staged, its layer a blob."""

    config: bytes
    layer: Blob
    #: Digest of the layer's tar before compression.
    diff_id: str


class Content(Protocol):
    """The content store: blobs by digest."""

    async def put(self, data: bytes) -> Blob:
        """Keep bytes under their digest; a blob that exists is success."""
        ...

    async def commit_staged(self, work_id: str, staged: Sequence[StagedBlob]) -> None:
        """Make files that a job wrote, and verified, blobs; those that exist are success.

        The files stay in the job's folder, so that a repeat finds them whatever became of the
        blobs.
        """
        ...

    async def known(self, digests: Collection[str]) -> tuple[str, ...]:
        """Return which of *digests* are in the store."""
        ...

    async def read(self, digest: str) -> bytes | None:
        """Return a small blob whole; None: it is not in the store."""
        ...

    async def sweep(self, keep: Collection[str], *, dry_run: bool = False) -> tuple[Blob, ...]:
        """Delete all blobs but *keep*, or only say which that would be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a crash had left among the folders."""

    #: Ids of plugins that do not exist.
    folders: tuple[str, ...] = ()
    #: `<plugin id>/<name>`.
    root_file_systems: tuple[str, ...] = ()
    work: int = 0
    trash: int = 0


class Boot(Protocol):
    """Tells one start of the host from another."""

    def is_another(self) -> bool:
        """Tell whether the host was started anew since the note; without one it was not."""
        ...

    async def note(self) -> None:
        """Note this start, on disk before it returns; a repeat writes nothing."""
        ...


class Folders(Protocol):
    """The plugins' folders, and the staging ones beside them."""

    def rootfs(self, plugin_id: str, name: str) -> Path:
        """Return where a plugin's root file system of this name lies."""
        ...

    def propagated(self, plugin_id: str) -> Path:
        """Return the folder of a plugin's propagated mount, outside of its root file system."""
        ...

    def home(self, plugin_id: str) -> Path:
        """Return the folder that holds all of a plugin's files."""
        ...

    async def unpack_context(self, context: Path, plugin_id: str) -> UnpackedContext:
        """Take a context apart into a staging folder of this plugin and the content store.

        Raises InvalidArgument for what dockerd refuses and for entries that climb out.
        """
        ...

    async def install(
        self, work_id: str, plugin_id: str, rootfs: str, *, is_synced: bool = True
    ) -> None:
        """Move staged files into a plugin's place; a repeat is safe.

        They are on disk before it returns, unless they need not be. *work_id* names the staging
        folder: the plugin's id, or the id of the job that pulled it.
        *rootfs* is the name that the root file system gets, one that the plugin does not have.
        """
        ...

    async def sync(self) -> None:
        """Put on the disk what was installed so far."""
        ...

    def is_installed(self, plugin_id: str, rootfs: str) -> bool:
        """Tell whether a plugin has a root file system of this name, whole or not."""
        ...

    async def rebuild(self, plugin_id: str, rootfs: str, layers: Sequence[str]) -> None:
        """Make a root file system anew from its layers' blobs, on disk before it returns.

        What there is of it goes first. Raises NotFound, InvalidArgument for blobs that are gone
        or broken, ResourceExhausted.
        """
        ...

    async def put_back(self, work_id: str, plugin_id: str, rootfs: str) -> bool:
        """Undo an install that was never committed; tell whether there was anything."""
        ...

    async def drop_rootfs(self, plugin_id: str, rootfs: str) -> None:
        """Move a root file system aside to be deleted in the background; none is success."""
        ...

    async def discard(self, work_id: str) -> None:
        """Delete a staging folder; none is success."""
        ...

    async def bury(self, plugin_id: str) -> None:
        """Move a plugin's files aside to be deleted in the background; none is success."""
        ...

    async def sweep(self, plugins: Mapping[str, Collection[str]], work: Collection[str]) -> Swept:
        """Delete what a crash left: all but these plugins, their root file systems, and work.

        *plugins* is by id.
        """
        ...

    async def empty_trash(self) -> None:
        """Delete what could not be deleted before, once what holds it is gone."""
        ...

    def trash(self) -> Path:
        """Return the folder of what is being deleted."""
        ...

    async def drop_context(self, context: Path) -> None:
        """Delete a spooled context; none is success."""
        ...


class JobQueue(Protocol):
    """Where workers hear of jobs; it may lose one, and it may tell one twice."""

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Have a worker take the job, a patient one after the others.

        Raises Unavailable when the queue does not answer.
        """
        ...


class JobFeed(Protocol):
    """Where whoever waits for a job hears of it; all raise Unavailable like any publishing."""

    async def tell(self, job_id: str, line: str) -> None:
        """Tell how far a job is."""
        ...

    async def tell_done(self, job_id: str, changed: Changed) -> None:
        """Tell that a job went well without a worker."""
        ...

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Tell that a job failed without a worker."""
        ...
