"""What the store found, and did, when it last started."""

from enum import StrEnum
from typing import ClassVar

from shared.contracts.message import Command, Message, Value


class Outcome(StrEnum):
    """What becomes of an operation that was cut short."""

    #: It was decided: the rest of it is done.
    FINISHED = "finished"
    #: Nobody was told that it succeeded: what there is of it is taken back.
    UNDONE = "undone"


class InterruptedOperation(Value):
    """An operation that was under way when the store ended."""

    plugin_id: str
    plugin: str
    #: enable, disable, restart or remove.
    kind: str
    outcome: Outcome


class RecoveryReport(Message):
    """What was ended, undone and swept; times are nanoseconds since the epoch."""

    TYPE: ClassVar[str] = "store.recovery.report.v1"

    begun_at_ns: int
    #: None while something is still being ended.
    ended_at_ns: int | None = None
    #: Whether the host was started anew since the store was last here: then no process is left.
    rebooted: bool = False
    plugins: int = 0
    operations: tuple[InterruptedOperation, ...] = ()
    #: Root file systems that a loss of power may have taken, made anew from their layers, as
    #: `<plugin id>/<name>`.
    rebuilt_root_file_systems: tuple[str, ...] = ()
    #: Jobs whose files had been moved into place, and were not committed: they begin anew.
    undone_installs: tuple[str, ...] = ()
    #: Jobs that go on.
    jobs: tuple[str, ...] = ()
    #: Ids of folders of plugins that do not exist.
    removed_folders: tuple[str, ...] = ()
    #: Root file systems that no plugin names, as `<plugin id>/<name>`.
    removed_root_file_systems: tuple[str, ...] = ()
    #: Staging folders of nobody, and what was being deleted.
    removed_work: int = 0
    removed_trash: int = 0
    #: Containers that no plugin runs in.
    removed_containers: tuple[str, ...] = ()


class GetRecovery(Command[RecoveryReport]):
    """Ask what the store found and did when it last started."""

    TYPE: ClassVar[str] = "store.recovery.get.v1"
