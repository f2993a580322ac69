"""What the executor asks of the host, in its own words."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.executor.domain.record import Process, Record
from shared.contracts.executor import ContainerConfig, ContainerFigures, ExecConfig, Exit, LogLine
from shared.contracts.sealed import SealedSecret


class RuntimeStatus(StrEnum):
    """What the runtime holds for a container; the OCI runtime spec's words and runc's paused."""

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A container that was created; its processes may have ended since."""

    init: Process
    conmon: Process
    #: Whether its program runs; else it waits for the runtime's start.
    started: bool


class Supervisor(Protocol):
    """Creates a container under a process that outlives us and records its exit."""

    async def create(self, container_id: str) -> Created:
        """Create the container from its bundle, and start it where that is one call.

        Raises InvalidArgument with the runtime's words. Cancelled, it first sees the creation
        through; what was made is the caller's to remove.
        """
        ...

    def find(self, container_id: str) -> Process | None:
        """Return the supervisor that a half-made start may have left running."""
        ...

    def reopen_log(self, container_id: str) -> None:
        """Tell the supervisor that its log was renamed; a supervisor that ended is no error."""
        ...


class Runtime(Protocol):
    """The OCI runtime."""

    async def start(self, container_id: str) -> None:
        """Run the program of a created container."""
        ...

    async def status(self, container_id: str) -> RuntimeStatus | None:
        """Return what the runtime holds for the id; None when nothing."""
        ...

    async def resume(self, container_id: str) -> None:
        """Let a paused container go on; one that is not paused, or ended, is success."""
        ...

    async def delete(self, container_id: str) -> None:
        """Kill what is left and delete the state; none there is success."""
        ...

    async def exec(self, container_id: str, args: Sequence[str], *, timeout_s: float) -> str | None:
        """Run a command in the container; return None when it exits with 0, else what failed."""
        ...


class Processes(Protocol):
    """Processes of the host, told apart from later ones with the same pid."""

    def is_alive(self, process: Process) -> bool:
        """Tell whether the process still runs; a zombie does not."""
        ...

    async def ended(self, process: Process) -> None:
        """Return once the process has ended; at once when it has."""
        ...

    def send(self, process: Process, number: signal.Signals) -> bool:
        """Send a signal; return whether the process was still there."""
        ...


class Bundles(Protocol):
    """The folders of the containers."""

    def prepare(self, container_id: str, config: ContainerConfig) -> None:
        """Make the container's folder, ready its root file system and write its spec.

        Raises InvalidArgument when the configuration names what the host does not have.
        """
        ...

    def load(self, container_id: str) -> Record | None:
        """Return what the container's folder remembers; None when it is not (all) there."""
        ...

    def save(self, record: Record) -> None:
        """Replace what the container's folder remembers, atomically."""
        ...

    def has(self, container_id: str) -> bool:
        """Tell whether there is a folder of the container."""
        ...

    def container_ids(self) -> list[str]:
        """Return the ids of all folders."""
        ...

    def exit_of(self, container_id: str) -> Exit | None:
        """Return the exit that the supervisor recorded; None when it recorded none."""
        ...

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Tell whether the supervisor saw the kernel kill for want of memory."""
        ...

    def note_out_of_memory(self, container_id: str) -> None:
        """Note in the supervisor's place what it began to look for too late to see."""
        ...

    async def out_of_memory(self, container_id: str) -> None:
        """Return once the supervisor has seen the kernel kill for want of memory."""
        ...

    def sockets(self, container_id: str) -> str:
        """Return the host folder of the container's sockets."""
        ...

    def remove(self, container_id: str) -> None:
        """Delete the container's folder with all that is in it; none there is success."""
        ...

    def remove_all(self) -> None:
        """Delete the empty folders that the bundles and the runtime's state lay in."""
        ...


class SecretFolders(Protocol):
    """What containers are given to keep to themselves."""

    def prepare(
        self, container_id: str, secrets: Sequence[SealedSecret], *, uid: int, gid: int
    ) -> None:
        """Put secrets where only the container looks; none makes no such place.

        Raises InvalidArgument for one that does not open.
        """
        ...

    def values(self, container_id: str) -> tuple[bytes, ...]:
        """Return what a container was given, for as long as it is there."""
        ...

    def rotate(self) -> None:
        """Take a new key; what was sealed to the one before can still be opened."""
        ...

    def reseal(self, secret: SealedSecret) -> SealedSecret:
        """Return a secret sealed to the present key."""
        ...


class Sockets(Protocol):
    """Sockets that containers listen on."""

    def try_connect(self, container_id: str, name: str) -> int:
        """Connect once and hang up; return 0, or the error number."""
        ...

    async def call(
        self, container_id: str, name: str, method: str, *, timeout_s: float
    ) -> str | None:
        """Call a method as Docker calls plugins; return None for a good answer, else what failed.

        Good is a status of 200 without an `Err` or `Error` in the answer.
        """
        ...

    async def accepting(self, container_id: str, name: str) -> None:
        """Return once the socket accepts a connection."""
        ...


class Mounts(Protocol):
    """The mount table."""

    def share_data_root(self) -> None:
        """Make the data root a shared mount; safe to repeat."""
        ...

    def share_folder(self, path: str) -> None:
        """Make a folder a shared mount of its own: what containers mount below reaches the host.

        Safe to repeat; a missing folder is made.
        """
        ...

    def unshare_folder(self, path: str) -> None:
        """Undo share_folder, unless something is mounted below; not shared is success."""
        ...

    def unmount_data(self, path: str) -> None:
        """Unmount all at and below a path of the data root, deepest first.

        Raises PermissionDenied for a path elsewhere, Conflict naming a mount that is busy.
        """
        ...

    def unmount_sockets(self, container_id: str) -> None:
        """Unmount what a container mounted below its socket folder; raises as unmount_data."""
        ...

    def release_data_root(self) -> None:
        """Undo share_data_root, unless something is mounted below: it is somebody else's."""
        ...


class Cgroups(Protocol):
    """The cgroups of the containers, in every hierarchy."""

    def is_frozen(self, container_id: str) -> bool:
        """Tell whether the container is paused."""
        ...

    def processes(self, container_id: str) -> list[Process]:
        """Return the processes in the container's cgroups."""
        ...

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Tell whether the kernel killed one of the container's processes for want of memory."""
        ...

    def figures(self, container_id: str, now_ns: int) -> ContainerFigures:
        """Return what the container uses; all zero once its cgroups are gone."""
        ...

    def remove(self, container_id: str) -> None:
        """Remove the container's cgroups; none there is success."""
        ...

    def remove_all(self) -> None:
        """Remove the node's cgroups; raises Conflict when processes are left in one."""
        ...


class Signal(Protocol):
    """Is set by somebody when something happened."""

    async def wait(self) -> bool:
        """Return once it is set."""
        ...

    def clear(self) -> None:
        """Wait anew from now on."""
        ...


class LogReader(Protocol):
    """One container's output, read forwards; what was there at the opening stays readable."""

    def read(self) -> list[bytes]:
        """Return the next lines, a bounded number of them; none at the end of what is there.

        It can be asked again when more was written, also across rotations.
        """
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Logs(Protocol):
    """What containers wrote."""

    def open(self, record: Record) -> LogReader:
        """Open the output of a container, deleted or not, at its beginning."""
        ...

    def open_tail(self, record: Record, lines: int) -> tuple[LogReader, int]:
        """Open a container's output at its last lines; return how many they are as well."""
        ...

    def written(self, record: Record) -> AbstractContextManager[Signal]:
        """Hold an event that is set whenever a container has written, or its log was rotated."""
        ...

    def keep(self, record: Record) -> None:
        """Keep the last output of a container that is about to be deleted, if its log has a name.

        A repeat is safe. Raises OSError.
        """
        ...

    def kept_of(self, log_name: str) -> list[Record]:
        """Return the deleted containers whose last output is kept, oldest first."""
        ...

    def delete(self, log_name: str) -> None:
        """Delete what is kept of a log; none is success."""
        ...

    def tail(self, container_id: str, lines: int) -> list[LogLine]:
        """Return the last lines, oldest first."""
        ...

    def is_full(self, container_id: str) -> bool:
        """Tell whether the newest file has reached its limit."""
        ...

    def rotate(self, container_id: str) -> None:
        """Rename the newest file over the old one; its writer must then be told to reopen."""
        ...


class Ps(Protocol):
    """The program that lists processes."""

    async def list(self, args: Sequence[str]) -> str:
        """Return its output; raises InvalidArgument with its complaint."""
        ...


class Terminal(Protocol):
    """Who gives an exec its input, and takes its output."""

    async def read(self) -> bytes:
        """Return input, at least a byte; nothing once there is no more."""
        ...

    async def write(self, data: bytes) -> None:
        """Take output, slowly perhaps; raises ConnectionError when nobody takes it any more."""
        ...

    def end(self) -> None:
        """Hear that there is no more output."""
        ...


class Output(Protocol):
    """What a process writes."""

    async def read(self, most: int, /) -> bytes:
        """Return what has come, at least a byte; nothing at the end."""
        ...

    def at_eof(self) -> bool:
        """Tell whether the end was read."""
        ...


class RunningExec(Protocol):
    """A process that was put beside a container's own."""

    @property
    def outputs(self) -> Mapping[int, Output]:
        """Return standard output and error by number; with a terminal there is only 1."""
        ...

    async def write(self, data: bytes) -> None:
        """Give it input, waiting while it does not take any; after its end that is lost."""
        ...

    def end_input(self) -> None:
        """Let it find the end of its input."""
        ...

    def resize(self, height: int, width: int) -> None:
        """Change the size of its terminal."""
        ...

    def process(self) -> Process | None:
        """Return its process; None before it runs, and where that was never."""
        ...

    async def ended(self) -> int:
        """Return its exit code once it has ended.

        Raises InvalidArgument with the runtime's words if it could not be run at all.
        """
        ...

    async def kill(self) -> None:
        """Kill it, and all that it started; then it ends."""
        ...

    def close(self) -> None:
        """Leave nothing of it once it has ended; what it started is the container's now."""
        ...


class Execs(Protocol):
    """Puts processes beside those of containers."""

    async def run(
        self, container_id: str, exec_id: str, config: ExecConfig, *, height: int, width: int
    ) -> RunningExec:
        """Run a process in a container; raises InvalidArgument for a user that is not there."""
        ...

    async def kill_all(self, container_id: str) -> None:
        """Kill what an executor that died has left running beside a container's own process."""
        ...


class Clock(Protocol):
    """The time."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """All that the executor asks of the host."""

    supervisor: Supervisor
    runtime: Runtime
    processes: Processes
    bundles: Bundles
    sockets: Sockets
    mounts: Mounts
    cgroups: Cgroups
    logs: Logs
    secrets: SecretFolders
    ps: Ps
    execs: Execs
    clock: Clock
