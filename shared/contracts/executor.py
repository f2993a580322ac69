"""Messages of the executor: it runs containers and knows no plugins."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, field_validator

from shared.contracts.message import Command, Done, Message, StreamRequest, Value
from shared.contracts.sealed import SealedSecret


class ContainerMount(Value):
    """A mount of the container, as the OCI runtime specification has it."""

    type: str
    source: str
    destination: str
    options: tuple[str, ...] = ()
    #: Make the source, a folder of the host, when it is not there.
    create_source: bool = False


class ContainerLink(Value):
    """A symbolic link put into the root file system before the start; a file there gives way."""

    path: str
    target: str

    @field_validator("path")
    @classmethod
    def _is_plain(cls, path: str) -> str:
        root, *names = path.split("/")
        if root or not names or any(name in ("", ".", "..") for name in names):
            raise ValueError("must be absolute and without `.`, `..` and empty parts")
        return path


class PropagatedMount(Value):
    """A host folder shared both ways: what the container mounts below it outlives the container."""

    source: str
    destination: str


class Resources(Value):
    """Limits; None leaves the kernel's default."""

    #: No process fits into less than 6 MiB; it is dockerd's lower limit as well.
    memory_bytes: int | None = Field(default=None, ge=6 * 1024 * 1024)
    #: Processors' worth of time, such as 0.5; the kernel counts in hundredths.
    cpus: float | None = Field(default=None, ge=0.01, le=100_000, allow_inf_nan=False)
    pids: int | None = Field(default=None, ge=1)


class Seccomp(StrEnum):
    """Which system calls a container may make."""

    #: Those of Docker's default profile, and what its capabilities are for.
    DEFAULT = "default"
    #: All.
    UNCONFINED = "unconfined"


class NoNewPrivileges(StrEnum):
    """Which containers gain nothing by set-uid programs."""

    #: Those that begin as root, which has nothing to gain.
    ROOT = "root"
    ALL = "all"
    NONE = "none"


class ContainerConfig(Value):
    """What runs in a container, in words that fit any container."""

    #: Host path of the root file system, read and written in place.
    rootfs: str
    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    #: Capabilities beyond Docker's fourteen defaults, as `CAP_…`.
    capabilities: tuple[str, ...] = ()
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    #: Whether the host's /etc/hosts and /etc/resolv.conf are shown to it, read-only.
    host_names: bool = False
    mounts: tuple[ContainerMount, ...] = ()
    #: Host paths of device nodes, or of folders of them.
    devices: tuple[str, ...] = ()
    allow_all_devices: bool = False
    propagated_mount: PropagatedMount | None = None
    #: Where the container's own socket folder is seen inside it.
    socket_dir: str = "/run/docker/plugins"
    resources: Resources = Resources()
    seccomp: Seccomp = Seccomp.DEFAULT
    #: Whether programs that it runs gain nothing by their set-uid bits and file capabilities.
    no_new_privileges: bool = False
    #: What the node adds, behind all other mounts.
    last_mounts: tuple[ContainerMount, ...] = ()
    links: tuple[ContainerLink, ...] = ()


class Ready(Value):
    """When a started container counts as ready: its socket accepts a connection in time."""

    #: Path of the socket, relative to the container's socket folder.
    unix_socket: str
    deadline_s: float = Field(gt=0)


class HealthCheck(Value):
    """How a running container is asked whether it still works: by its socket or by a program."""

    unix_socket: str | None = None
    #: What it is asked on *unix_socket*, `Service.Method`; else to be connected to is enough.
    call: str | None = None
    exec: tuple[str, ...] | None = None
    interval_s: float = Field(default=10.0, gt=0)
    timeout_s: float = Field(default=5.0, gt=0)
    #: Failures this soon after its start do not count, unless it was healthy before.
    start_period_s: float = Field(default=0.0, ge=0)
    #: Failures in a row that make it unhealthy.
    retries: int = Field(default=3, ge=1)


class ContainerStatus(StrEnum):
    """What is observed of a container."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"


class HealthStatus(StrEnum):
    """What health checks found; NONE when there are none."""

    NONE = "none"
    #: It is asked, and has no verdict yet.
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Exit(Value):
    """How a container ended; *exit_code* is None when nobody could record it."""

    exit_code: int | None
    #: Whether it ended because the kernel killed it for want of memory.
    oom_killed: bool = False
    exited_at_ns: int
    #: The last lines that it wrote, cut where they are long.
    last_output: tuple[str, ...] = ()


class Container(Value):
    """A container as the executor sees it."""

    container_id: str
    status: ContainerStatus
    pid: int | None = None
    started_at_ns: int | None = None
    #: Host folder that holds the container's sockets.
    socket_dir: str
    #: Its supervisor died: output is lost and no exit status will be recorded.
    degraded: bool = False
    #: Whether the kernel killed a process of it for want of memory.
    ran_out_of_memory: bool = False
    health: HealthStatus = HealthStatus.NONE
    #: What its last health check failed with; empty after one that succeeded.
    health_message: str = ""
    health_check: HealthCheck | None = None
    exit: Exit | None = None


class ContainerReply(Message):
    """The container after the command."""

    TYPE: ClassVar[str] = "executor.container.reply.v1"

    container: Container


class StartContainer(Command[ContainerReply]):
    """Create and start a container and wait until it is ready.

    A repeat finds it by its id and waits on. When it does not become ready in time, or ends
    first, it is stopped and the error says so, with its exit code and last lines of output.
    """

    TYPE: ClassVar[str] = "executor.container.start.v1"

    container_id: str
    config: ContainerConfig
    ready: Ready | None = None
    health: HealthCheck | None = None
    #: Containers that follow one another have the same: their output is one log, of which a part
    #: is kept when a container is deleted. Empty: nothing is kept.
    log_name: str = ""
    #: Put below /run/secrets by their names, on a tmpfs that goes with the container.
    secrets: tuple[SealedSecret, ...] = ()


class StopContainer(Command[ContainerReply]):
    """Send a signal, wait *grace_s*, then kill; answers with the exit. Repeats find it exited."""

    TYPE: ClassVar[str] = "executor.container.stop.v1"

    container_id: str
    signal: str = "SIGTERM"
    grace_s: float = 10.0


class CheckContainer(Command[ContainerReply]):
    """Check a running container's health this way from now on, or no more; a repeat is safe."""

    TYPE: ClassVar[str] = "executor.container.check.v1"

    container_id: str
    health: HealthCheck | None


class SignalContainer(Command[Done]):
    """Send a signal to the container's init process."""

    TYPE: ClassVar[str] = "executor.container.signal.v1"

    container_id: str
    signal: str


class DeleteContainer(Command[Done]):
    """Delete what is left of an ended container: state, bundle, sockets, exit file, log.

    A container that is not there is success.
    """

    TYPE: ClassVar[str] = "executor.container.delete.v1"

    container_id: str


class DiscardContainer(Command[Done]):
    """Stop a container as StopContainer does, then delete what is left of it.

    A container that is not there is success.
    """

    TYPE: ClassVar[str] = "executor.container.discard.v1"

    container_id: str
    signal: str = "SIGTERM"
    grace_s: float = 10.0


class GetContainer(Command[ContainerReply]):
    """Ask for one container."""

    TYPE: ClassVar[str] = "executor.container.get.v1"

    container_id: str


class ContainerList(Message):
    """All containers of the node."""

    TYPE: ClassVar[str] = "executor.container.listed.v1"

    containers: tuple[Container, ...]


class ListContainers(Command[ContainerList]):
    """Ask for all containers of the node."""

    TYPE: ClassVar[str] = "executor.container.list.v1"


class LogLine(Value):
    """One line of a container's output."""

    time_ns: int
    stream: str
    text: str
    #: The line goes on in the next one of the same stream.
    partial: bool = False


class LogEntry(Value):
    """An entry of a log: a container began, wrote a line, or ended; one of the three is set."""

    container_id: str
    #: Nanoseconds since the epoch.
    started_at_ns: int | None = None
    line: LogLine | None = None
    exit: Exit | None = None


class FollowLog(StreamRequest):
    """Open a stream of a log's entries, oldest first, as lines of JSON (LogEntry).

    Of the containers with this log name, those that are deleted have left their last output.
    """

    TYPE: ClassVar[str] = "executor.log.follow.v1"

    log_name: str
    #: Only lines in between, both included.
    since_ns: int | None = None
    until_ns: int | None = None
    #: Only the last lines of what is there; None: all.
    tail: int | None = Field(default=None, ge=0)
    #: Go on with what is written from now on, by the next containers as well.
    follow: bool = False


class DeleteLog(Command[Done]):
    """Delete what deleted containers have left in a log, and end its streams; safe to repeat."""

    TYPE: ClassVar[str] = "executor.log.delete.v1"

    log_name: str


class ProcessTable(Message):
    """Processes of a container as `ps` lists them, with the pids of the host."""

    TYPE: ClassVar[str] = "executor.container.processes.v1"

    titles: tuple[str, ...]
    processes: tuple[tuple[str, ...], ...]


class ListProcesses(Command[ProcessTable]):
    """Ask for the processes of a running container."""

    TYPE: ClassVar[str] = "executor.container.top.v1"

    container_id: str
    #: What `ps` is called with; its output must have a column PID.
    ps_args: str = "-ef"


class CpuFigures(Value):
    """What a container has used of the processors since it began."""

    total_ns: int = 0
    kernel_ns: int = 0
    user_ns: int = 0
    #: Of the periods in which its limit counts, how many it was held back in.
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0


class MemoryFigures(Value):
    """What a container uses of the memory."""

    usage_bytes: int = 0
    #: The most that it used; None where the kernel does not say.
    max_usage_bytes: int | None = None
    #: Its limit; the host's memory where it has none.
    limit_bytes: int = 0
    #: How often it reached its limit; None where the kernel does not say.
    failures: int | None = None
    #: The kernel's own figures, under the kernel's names.
    kernel: dict[str, int] = Field(default_factory=dict)


class BlockFigures(Value):
    """What a container has read from, or written to, a block device."""

    major: int
    minor: int
    #: `read` or `write`.
    operation: str
    size_bytes: int = 0
    count: int = 0


class ContainerFigures(Value):
    """What a container uses, at one moment."""

    container_id: str
    read_at_ns: int
    #: Processor time of the whole host since it booted, idle time included.
    host_cpu_ns: int
    host_cpus: int
    cpu: CpuFigures = CpuFigures()
    memory: MemoryFigures = MemoryFigures()
    pids: int = 0
    #: None without a limit.
    pids_limit: int | None = None
    block_io: tuple[BlockFigures, ...] = ()


class FiguresList(Message):
    """What containers use, of those that are there."""

    TYPE: ClassVar[str] = "executor.container.measured.v1"

    figures: tuple[ContainerFigures, ...]


class MeasureContainers(Command[FiguresList]):
    """Ask what containers use; one that does not run is left out."""

    TYPE: ClassVar[str] = "executor.container.stats.v1"

    container_ids: tuple[str, ...]


class ExecConfig(Value):
    """A process beside the container's own; what is empty is as the container's own process."""

    args: tuple[str, ...] = ()
    #: On top of the container's.
    env: tuple[str, ...] = ()
    #: `name|uid[:group|gid]`, looked up in the container's own files.
    user: str = ""
    cwd: str = ""
    tty: bool = False
    #: Whether it is given input; without, it finds an end at once.
    stdin: bool = False


class ExecState(StrEnum):
    """How far an exec is."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Exec(Value):
    """An exec as the executor sees it."""

    exec_id: str
    container_id: str
    args: tuple[str, ...]
    tty: bool
    stdin: bool
    state: ExecState
    #: On the host; None while it does not run.
    pid: int | None = None
    exit_code: int | None = None


class ExecReply(Message):
    """The exec after the command."""

    TYPE: ClassVar[str] = "executor.exec.reply.v1"

    exec: Exec


class CreateExec(StreamRequest):
    """Make an exec that is yet to be started; answered with one line, an Exec.

    Not sent over Redis, as people give secrets in the environment. A repeat with the same id
    finds it. One that is not started, or that ended, is forgotten after five minutes.
    """

    TYPE: ClassVar[str] = "executor.exec.create.v1"

    exec_id: str
    container_id: str
    config: ExecConfig


class StartExec(StreamRequest):
    """Start an exec, once. Its input goes in, its output comes out, as Docker has it.

    Without a terminal the output comes in frames of eight bytes and what they announce: a
    stream's number, three zeros, a length. Who hangs up ends the process, and all that it
    started.
    """

    TYPE: ClassVar[str] = "executor.exec.start.v1"

    exec_id: str
    #: Go on without a reader; the stream ends when the process has begun.
    detach: bool = False
    #: Of a terminal.
    height: int = Field(default=0, ge=0, le=65_535)
    width: int = Field(default=0, ge=0, le=65_535)


class GetExec(Command[ExecReply]):
    """Ask for one exec."""

    TYPE: ClassVar[str] = "executor.exec.get.v1"

    exec_id: str


class ResizeExec(Command[Done]):
    """Say how large the terminal of a running exec is."""

    TYPE: ClassVar[str] = "executor.exec.resize.v1"

    exec_id: str
    height: int = Field(ge=1, le=65_535)
    width: int = Field(ge=1, le=65_535)


class SignalExec(Command[Done]):
    """Send a signal to the process of a running exec."""

    TYPE: ClassVar[str] = "executor.exec.signal.v1"

    exec_id: str
    signal: str


class UnmountTree(Command[Done]):
    """Unmount all mounts at and below a host folder, deepest first; none there is success."""

    TYPE: ClassVar[str] = "executor.mount.unmount.v1"

    path: str


class ClearLeftovers(Command[Done]):
    """Unmount as UnmountTree does, then delete a log as DeleteLog does; safe to repeat."""

    TYPE: ClassVar[str] = "executor.leftovers.clear.v1"

    path: str
    log_name: str


class ReleaseNode(Command[Done]):
    """Undo the executor's shared mounts and cgroups; refused while a container is left."""

    TYPE: ClassVar[str] = "executor.node.release.v1"


class ContainerExited(Message):
    """A container ended. Its message id is the container id; repeated until it is deleted."""

    TYPE: ClassVar[str] = "executor.container.exited.v1"

    container_id: str
    exit: Exit


class ContainerObserved(Message):
    """A running container's health, or its supervisor's, has changed."""

    TYPE: ClassVar[str] = "executor.container.observed.v1"

    container_id: str
    degraded: bool
    health: HealthStatus
    message: str = ""


class ExecutorStarted(Message):
    """The executor has (re)started and taken up what runs: compare lists now."""

    TYPE: ClassVar[str] = "executor.node.started.v1"
