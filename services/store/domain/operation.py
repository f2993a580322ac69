"""An operation under way on a plugin, and the unit of work that a database commits whole."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.store.domain.job import JobRecord
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference
from shared.contracts.store import Fact


class Kind(StrEnum):
    """What is under way."""

    ENABLE = "enable"
    RESTART = "restart"
    DISABLE = "disable"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of operations; *token* is 0 until it is committed."""

    token: int = 0
    plugin_id: str
    kind: Kind
    #: The command that asked for it; answers its redelivery.
    message_id: str
    container_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A plugin's new record (None: removed), and what happened to it."""

    plugin_id: str
    plugin: Plugin | None
    facts: tuple[Fact, ...] = ()

    @classmethod
    def of(cls, plugin: Plugin, *facts: Fact) -> Change:
        """Return the change that makes *plugin* the record of its id."""
        return cls(plugin_id=plugin.plugin_id, plugin=plugin, facts=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsynced:
    """A plugin's root file system that may not be on the disk yet; its layers' blobs are."""

    plugin_id: str
    rootfs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is committed in one transaction, or not at all."""

    changes: tuple[Change, ...] = ()
    begin: Operation | None = None
    #: Token of the operation that ends; a token that is no longer valid fails the unit.
    end: int | None = None
    #: A job's new record.
    job: JobRecord | None = None
    #: A lease that is acquired or renewed.
    lease: Reference | None = None
    #: Leases that end; one that is not there is fine.
    dropped: tuple[Reference, ...] = ()
    #: A root file system of a changed plugin, noted until it is on the disk.
    unsynced: Unsynced | None = None
    #: Id of the command that the resulting reply answers.
    answers: str | None = None

    def plugin_ids(self) -> frozenset[str]:
        """Return the ids of the plugins that it is about."""
        leases = self.dropped if self.lease is None else (self.lease, *self.dropped)
        about = {change.plugin_id for change in self.changes} | {one.plugin_id for one in leases}
        if self.job is not None and self.job.job.plugin_id is not None:
            about.add(self.job.job.plugin_id)
        return frozenset(about)
