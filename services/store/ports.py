"""What the store needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.store.domain.operation import Operation, Unit
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed

#: Nanoseconds since the epoch.
Clock = Callable[[], int]
#: Something to be done, and perhaps done again.
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All that the database held when it was opened."""

    epoch: str
    revision: int
    plugins: tuple[Plugin, ...]
    operations: tuple[Operation, ...]


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
        operation or a token that is no longer valid.
        """
        ...

    async def replied(self, message_id: str) -> Changed | None:
        """Return the reply that a command was already given."""
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

    async def sweep(self, keep: Collection[str]) -> int:
        """Delete all blobs but *keep*; return how many went."""
        ...


class Folders(Protocol):
    """The plugins' folders, and the staging ones beside them."""

    def rootfs(self, plugin_id: str) -> Path:
        """Return where a plugin's root file system lies."""
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

    async def install(self, plugin_id: str) -> None:
        """Move the staged files into place, on disk before it returns; a repeat is safe."""
        ...

    async def discard(self, plugin_id: str) -> None:
        """Delete the staged files of a plugin; none is success."""
        ...

    async def bury(self, plugin_id: str) -> None:
        """Move a plugin's files aside to be deleted in the background; none is success."""
        ...

    async def sweep(self, keep: Collection[str]) -> None:
        """Delete all folders but those of the plugins *keep*: leftovers of a crash."""
        ...

    async def drop_context(self, context: Path) -> None:
        """Delete a spooled context; none is success."""
        ...
