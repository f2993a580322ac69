"""What is kept of a volume, of a verb under way on it and of its mounts; what a commit changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.message import Value
from shared.contracts.store import Fact
from shared.contracts.volume import LOCAL


class VolumeRecord(Value):
    """A volume that was created here."""

    name: str
    #: `local`, or the plugin's full name.
    driver: str
    #: Whether the driver is a plugin that is held by a lease as long as the volume is there.
    is_held: bool = False
    scope: str = "local"
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    created_at_ns: int

    @property
    def is_plain(self) -> bool:
        """Tell whether it is a folder of ours and nothing mounted: only these are measured."""
        return self.driver == LOCAL and not self.options


class Kind(StrEnum):
    """What is under way on a volume."""

    CREATE = "create"
    REMOVE = "remove"
    #: The volume is gone, or never came to be; its lease on the plugin is still to be released.
    RELEASE = "release"


class Operation(Value):
    """A step that has effects outside of the database; a volume has at most one."""

    kind: Kind
    record: VolumeRecord
    #: The command that asked for it; answers its redelivery.
    message_id: str = ""

    @property
    def name(self) -> str:
        """Return the volume's name."""
        return self.record.name

    def now(self, kind: Kind, *, message_id: str = "") -> Operation:
        """Return what follows it."""
        return Operation(kind=kind, record=self.record, message_id=message_id)


class Holder(Value):
    """An owner that has a volume mounted, or is about to."""

    name: str
    owner: str
    #: Empty until the driver has said where.
    mountpoint: str = ""
    since_ns: int
    #: Mounts end with the boot that they were made in.
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is committed in one transaction, or not at all."""

    put: VolumeRecord | None = None
    #: Name of a record that goes, with its holders.
    drop: str | None = None
    #: Takes the place of the volume's operation.
    begin: Operation | None = None
    #: Name of the volume whose operation ends.
    end: str | None = None
    hold: Holder | None = None
    let_go: tuple[Holder, ...] = ()
    facts: tuple[Fact, ...] = ()
    #: Id of the command that is answered by the resulting position.
    answers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A revision of the database's epoch."""

    epoch: str
    revision: int


def fact(name: str, action: str, now_ns: int, **attributes: str) -> Fact:
    """Return a fact about a volume, in Docker's words."""
    return Fact(type="volume", action=action, actor_id=name, attributes=attributes, time_ns=now_ns)
