"""What the volume service needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.volume.domain.answer import Found
from services.volume.domain.record import Holder, Operation, Position, Unit, VolumeRecord
from shared.contracts.plugin import Plugin

#: Nanoseconds since the epoch.
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All that the database held when it was opened."""

    position: Position
    volumes: tuple[VolumeRecord, ...]
    operations: tuple[Operation, ...]
    holders: tuple[Holder, ...]


class Records(Protocol):
    """The service's database."""

    async def load(self) -> Loaded:
        """Read everything."""
        ...

    async def commit(self, unit: Unit) -> Position:
        """Commit a unit whole and return the revision then reached."""
        ...

    async def replied(self, message_id: str) -> Position | None:
        """Return what a command was already answered with."""
        ...


class Driver(Protocol):
    """What keeps volumes. All raise Unavailable or DeadlineExceeded while it does not answer.

    A plugin's own errors are plain Errors with its text.
    """

    @property
    def name(self) -> str:
        """Return its full name."""
        ...

    @property
    def is_held(self) -> bool:
        """Tell whether a volume of it holds a plugin by a lease."""
        ...

    def check(self, name: str, options: Mapping[str, str]) -> None:
        """Raise InvalidArgument for what it is known to refuse."""
        ...

    async def scope(self) -> str:
        """Return `local` or `global`."""
        ...

    async def get(self, name: str) -> Found | None:
        """Return a volume; None: it has none of this name."""
        ...

    async def list(self) -> tuple[Found, ...]:
        """Return all its volumes, with mountpoints as the host sees them."""
        ...

    async def create(self, name: str, options: Mapping[str, str]) -> None:
        """Make a volume."""
        ...

    async def remove(self, name: str) -> None:
        """Delete a volume with its data."""
        ...

    async def mount(self, name: str, owner: str, options: Mapping[str, str]) -> str:
        """Mount a volume for an owner and return where the host sees it."""
        ...

    async def unmount(self, name: str, owner: str, *, is_last: bool) -> None:
        """End an owner's mount; *is_last*: nobody else has one."""
        ...

    async def path(self, name: str) -> str:
        """Return where the host sees a volume that is mounted."""
        ...


class Sizes(Protocol):
    """How much local volumes take."""

    async def size_bytes(self, name: str) -> int:
        """Return what a volume's files take; -1: it cannot be told."""
        ...


class PluginDrivers(Protocol):
    """The plugins that are volume drivers."""

    async def find(self, name: str) -> Driver:
        """Return the driver that a plugin is; raises, in dockerd's words, when it is none now."""
        ...

    async def all(self) -> tuple[Driver, ...]:
        """Return all that are enabled, by name; raises Unavailable when nobody can tell."""
        ...

    def changed(self, plugin_id: str, plugin: Plugin | None) -> None:
        """Note a plugin's new record, so that calls under way follow it to its new socket."""
        ...


class Leases(Protocol):
    """What keeps plugins from being stopped while a volume needs them."""

    async def acquire(self, record: VolumeRecord) -> None:
        """Hold a volume's plugin, or go on holding it; raises what the store answers."""
        ...

    async def release(self, record: VolumeRecord) -> None:
        """Hold a volume's plugin no more; a repeat is fine, and so is a plugin that is gone."""
        ...
