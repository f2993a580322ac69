"""A host in memory: containers whose processes, sockets and folders are what a test says."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import threading
from collections.abc import Iterator, Sequence

from services.executor.domain.record import Process, Record
from services.executor.ports import Created, Host, RuntimeStatus
from shared import errdefs
from shared.contracts.executor import ContainerConfig, ContainerFigures, ExecConfig, Exit, LogLine
from shared.contracts.sealed import Sealed, SealedSecret


class FakeProcesses:
    """ports.Processes: every pid lives until the test, or a signal, ends it."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, signal.Signals]] = []
        #: Signals that end a process; a program may ignore SIGTERM.
        self.deadly = {signal.SIGTERM, signal.SIGKILL}
        #: Supervisors by the pid of their container.
        self.supervisors: dict[int, int] = {}
        #: What keeps the next ones from being looked at, one each.
        self.errors: list[Exception] = []
        self._ended: dict[int, asyncio.Event] = {}

    def begin(self, pid: int) -> Process:
        """Let a process live."""
        self._ended[pid] = asyncio.Event()
        return Process(pid=pid, birth="now")

    def end(self, pid: int) -> None:
        """End a process; the supervisor of a container ends with it."""
        self._ended[pid].set()
        if pid in self.supervisors:
            self._ended[self.supervisors[pid]].set()

    def is_alive(self, process: Process) -> bool:
        """Tell whether the process still runs."""
        _raise_next(self.errors)
        return process.pid in self._ended and not self._ended[process.pid].is_set()

    async def ended(self, process: Process) -> None:
        """Return once the process has ended."""
        _raise_next(self.errors)
        if process.pid in self._ended:
            await self._ended[process.pid].wait()

    def send(self, process: Process, number: signal.Signals) -> bool:
        """Note the signal and end the process if it is deadly."""
        if not self.is_alive(process):
            return False
        self.sent.append((process.pid, number))
        if number in self.deadly:
            self.end(process.pid)
        return True


class FakeSupervisor:
    """ports.Supervisor: container n has pid 100 + n, its supervisor 200 + n."""

    def __init__(self, processes: FakeProcesses) -> None:
        self._processes = processes
        self.created: list[str] = []
        self.reopened: list[str] = []
        self.error: errdefs.Error | None = None
        #: Whether what it creates runs at once.
        self.starts = False

    async def create(self, container_id: str) -> Created:
        """Create a container, or raise *error*."""
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.created.append(container_id)
        number = len(self.created)
        self._processes.supervisors[100 + number] = 200 + number
        return Created(
            init=self._processes.begin(100 + number),
            conmon=self._processes.begin(200 + number),
            started=self.starts,
        )

    def find(self, container_id: str) -> Process | None:
        """Find nothing."""
        return None

    def reopen_log(self, container_id: str) -> None:
        """Note it."""
        self.reopened.append(container_id)


class FakeRuntime:
    """ports.Runtime that notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.statuses: dict[str, RuntimeStatus] = {}
        #: What keeps the next calls from being answered, one each.
        self.errors: list[Exception] = []
        #: What health commands answer, in order; the last one again and again.
        self.exec_answers: list[str | None] = [None]

    async def start(self, container_id: str) -> None:
        """Note it."""
        self.calls.append(("start", container_id))

    async def status(self, container_id: str) -> RuntimeStatus | None:
        """Return what the test set."""
        _raise_next(self.errors)
        return self.statuses.get(container_id)

    async def resume(self, container_id: str) -> None:
        """Note it."""
        self.calls.append(("resume", container_id))

    async def delete(self, container_id: str) -> None:
        """Note it."""
        self.calls.append(("delete", container_id))

    async def exec(self, container_id: str, args: Sequence[str], *, timeout_s: float) -> str | None:
        """Return the next answer."""
        _raise_next(self.errors)
        answers = self.exec_answers
        return answers.pop(0) if len(answers) > 1 else answers[0]


class FakeBundles:
    """ports.Bundles in a dict."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        #: Folders whose record is missing or spoiled.
        self.empty: set[str] = set()
        self.exits: dict[str, Exit] = {}
        self.without_memory: set[str] = set()
        self.killed = asyncio.Event()
        self.error: Exception | None = None
        #: What keeps the next folders from being watched, one each.
        self.watch_errors: list[Exception] = []
        #: What keeps a record from being read, once.
        self.load_errors: dict[str, OSError] = {}

    def prepare(self, container_id: str, config: ContainerConfig) -> None:
        """Raise *error* if it is set."""
        if self.error is not None:
            raise self.error

    def load(self, container_id: str) -> Record | None:
        """Return the record."""
        if container_id in self.load_errors:
            raise self.load_errors.pop(container_id)
        return self.records.get(container_id)

    def save(self, record: Record) -> None:
        """Keep the record."""
        self.records[record.container_id] = record

    def has(self, container_id: str) -> bool:
        """Tell whether there is a folder of the container."""
        return container_id in self.empty or container_id in self.records

    def container_ids(self) -> list[str]:
        """Return the ids of all folders."""
        return sorted(self.empty.union(self.records))

    def exit_of(self, container_id: str) -> Exit | None:
        """Return what the test set."""
        return self.exits.get(container_id)

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Tell whether the test said so."""
        return container_id in self.without_memory

    def note_out_of_memory(self, container_id: str) -> None:
        """Say so, as the test would."""
        self.run_out_of_memory(container_id)

    async def out_of_memory(self, container_id: str) -> None:
        """Return once the test says so."""
        _raise_next(self.watch_errors)
        while container_id not in self.without_memory:
            await self.killed.wait()
            self.killed.clear()

    def run_out_of_memory(self, container_id: str) -> None:
        """Let the kernel kill a process of a container."""
        self.without_memory.add(container_id)
        self.killed.set()

    def sockets(self, container_id: str) -> str:
        """Return a folder's name."""
        return f"/run/c/{container_id}/s"

    def remove(self, container_id: str) -> None:
        """Forget the record."""
        self.records.pop(container_id, None)
        self.empty.discard(container_id)

    def remove_all(self) -> None:
        """Leave nothing, as there is nothing."""


class FakeSockets:
    """ports.Sockets: *error* is what a connect answers, 0 once it is ready."""

    def __init__(self) -> None:
        self.error = 0
        #: What was called; and what it answers, in order, the last one again and again.
        self.called: list[tuple[str, str]] = []
        self.call_answers: list[str | None] = [None]
        self.ready = asyncio.Event()
        self.ready.set()

    def refuse(self, error: int = errno.ENOENT) -> None:
        """Accept nothing from now on."""
        self.error = error
        self.ready.clear()

    def try_connect(self, container_id: str, name: str) -> int:
        """Return the error that the test set."""
        return self.error

    async def call(
        self, container_id: str, name: str, method: str, *, timeout_s: float
    ) -> str | None:
        """Note the call and return the next answer."""
        self.called.append((name, method))
        return self.call_answers.pop(0) if len(self.call_answers) > 1 else self.call_answers[0]

    async def accepting(self, container_id: str, name: str) -> None:
        """Return once the test says so."""
        await self.ready.wait()


class FakeMounts:
    """ports.Mounts that notes what is shared and unmounted."""

    def __init__(self) -> None:
        self.shared: list[str] = []
        self.unmounted: list[str] = []
        self.error: errdefs.Error | None = None

    def share_data_root(self) -> None:
        """Note it."""
        self.shared.append("data root")

    def share_folder(self, path: str) -> None:
        """Note it."""
        self.shared.append(path)

    def unshare_folder(self, path: str) -> None:
        """Note it."""
        self.unmounted.append(path)

    def unmount_data(self, path: str) -> None:
        """Note it."""
        self.unmounted.append(path)

    def unmount_sockets(self, container_id: str) -> None:
        """Raise *error* if it is set."""
        if self.error is not None:
            raise self.error

    def release_data_root(self) -> None:
        """Note it."""
        self.unmounted.append("data root")


class FakeCgroups:
    """ports.Cgroups: frozen is who is in *frozen*."""

    def __init__(self) -> None:
        self.frozen: set[str] = set()
        #: Containers of which the kernel says that it killed for want of memory.
        self.killed: set[str] = set()
        #: Pids in the cgroups of every container.
        self.pids: list[int] = []

    def is_frozen(self, container_id: str) -> bool:
        """Tell whether the test said so."""
        return container_id in self.frozen

    def processes(self, container_id: str) -> list[Process]:
        """Return those that the test set."""
        return [Process(pid=pid, birth="now") for pid in self.pids]

    def ran_out_of_memory(self, container_id: str) -> bool:
        """Tell whether the test said so."""
        return container_id in self.killed

    def figures(self, container_id: str, now_ns: int) -> ContainerFigures:
        """Return figures of which only the id tells something."""
        return ContainerFigures(
            container_id=container_id, read_at_ns=now_ns, host_cpu_ns=1, host_cpus=1
        )

    def remove(self, container_id: str) -> None:
        """Remove nothing."""

    def remove_all(self) -> None:
        """Remove nothing."""


class FakeOutput:
    """What one container has written, as conmon writes it."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.written = asyncio.Event()

    def write(self, second: int, text: str, *, stream: str = "stdout", tag: str = "F") -> None:
        """Write a line at a second after the epoch."""
        self.lines.append(f"1970-01-01T00:00:{second:02}.000000000Z {stream} {tag} {text}".encode())
        self.written.set()


class FakeReader:
    """ports.LogReader of a FakeOutput."""

    def __init__(self, output: FakeOutput, begin: int = 0) -> None:
        self._output = output
        self._next = begin
        self.is_closed = False

    def read(self) -> list[bytes]:
        """Return what is there and was not read."""
        lines = self._output.lines[self._next :]
        self._next += len(lines)
        return lines

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


class FakeLogs:
    """ports.Logs of lines that the test sets."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.full: set[str] = set()
        self.rotated: list[str] = []
        self.outputs: dict[str, FakeOutput] = {}
        #: Records of deleted containers, by log name.
        self.kept: dict[str, list[Record]] = {}
        self.readers: list[FakeReader] = []
        #: Containers of which somebody waits for more, and those of which nothing can be opened.
        self.watched: set[str] = set()
        self.unreadable: set[str] = set()
        #: Nothing is opened while it is not set.
        self.may_open = threading.Event()
        self.may_open.set()

    def output(self, container_id: str) -> FakeOutput:
        """Return what a container has written."""
        return self.outputs.setdefault(container_id, FakeOutput())

    def open(self, record: Record) -> FakeReader:
        """Open the output at its beginning."""
        return self._opened(record)

    def open_tail(self, record: Record, lines: int) -> tuple[FakeReader, int]:
        """Open the output at its last lines."""
        written = self.output(record.container_id).lines
        begin = max(0, len(written) - lines)
        return self._opened(record, begin), len(written) - begin

    @contextlib.contextmanager
    def written(self, record: Record) -> Iterator[asyncio.Event]:
        """Hold the event of the output."""
        self.watched.add(record.container_id)
        try:
            yield self.output(record.container_id).written
        finally:
            self.watched.remove(record.container_id)

    def keep(self, record: Record) -> None:
        """Keep all of it."""
        if record.log_name:
            self.kept.setdefault(record.log_name, []).append(record)

    def kept_of(self, log_name: str) -> list[Record]:
        """Return what was kept."""
        return self.kept.get(log_name, [])

    def delete(self, log_name: str) -> None:
        """Forget what was kept."""
        self.kept.pop(log_name, None)

    def tail(self, container_id: str, lines: int) -> list[LogLine]:
        """Return the last lines."""
        return [LogLine(time_ns=0, stream="stdout", text=text) for text in self.lines[-lines:]]

    def is_full(self, container_id: str) -> bool:
        """Tell whether the test said so."""
        return container_id in self.full

    def rotate(self, container_id: str) -> None:
        """Note it."""
        self.full.discard(container_id)
        self.rotated.append(container_id)

    def _opened(self, record: Record, begin: int = 0) -> FakeReader:
        assert self.may_open.wait(timeout=20)
        if record.container_id in self.unreadable:
            raise OSError(errno.EIO, "Input/output error")
        self.readers.append(FakeReader(self.output(record.container_id), begin))
        return self.readers[-1]


class FakePs:
    """ports.Ps whose output the test sets; with -q it may complain."""

    def __init__(self) -> None:
        self.output = ""
        self.asked: list[list[str]] = []
        self.complains_of_pids = False

    async def list(self, args: Sequence[str]) -> str:
        """Return the output."""
        self.asked.append([*args])
        if self.complains_of_pids and any(arg.startswith("-q") for arg in args):
            raise errdefs.InvalidArgument("ps: conflicting")
        return self.output


class FakeExecOutput:
    """ports.Output that the test writes to."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader()

    def feed(self, data: bytes) -> None:
        """Write."""
        self._reader.feed_data(data)

    def end(self) -> None:
        """Write no more."""
        self._reader.feed_eof()

    async def read(self, most: int, /) -> bytes:
        """Return what has come."""
        return await self._reader.read(most)

    def at_eof(self) -> bool:
        """Tell whether the end was read."""
        return self._reader.at_eof()


class FakeExec:
    """ports.RunningExec: it ends when the test says so, or when it is killed."""

    def __init__(self, process: Process | None) -> None:
        self.outputs = {1: FakeExecOutput(), 2: FakeExecOutput()}
        self.input = b""
        self.has_input_ended = False
        self.sizes: list[tuple[int, int]] = []
        self.is_killed = False
        self.is_closed = False
        #: What keeps it from being cleared away.
        self.close_error: Exception | None = None
        self._process = process
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, code: int) -> None:
        """End it with a code."""
        for output in self.outputs.values():
            output.end()
        if not self._code.done():
            self._code.set_result(code)

    def fail(self, message: str) -> None:
        """Have it never have run."""
        for output in self.outputs.values():
            output.end()
        self._code.set_exception(errdefs.InvalidArgument(message))

    async def write(self, data: bytes) -> None:
        """Keep it."""
        self.input += data

    def end_input(self) -> None:
        """Note it."""
        self.has_input_ended = True

    def resize(self, height: int, width: int) -> None:
        """Note it."""
        self.sizes.append((height, width))

    def process(self) -> Process | None:
        """Return the process that the test gave."""
        return self._process

    async def ended(self) -> int:
        """Wait for the end."""
        return await asyncio.shield(self._code)

    async def kill(self) -> None:
        """Note it, and end."""
        self.is_killed = True
        self.end(137)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True
        if self.close_error is not None:
            raise self.close_error


class FakeExecs:
    """ports.Execs that keeps what was run; its processes have pids from 900 on."""

    def __init__(self, processes: FakeProcesses) -> None:
        self._processes = processes
        self.run_ones: list[FakeExec] = []
        self.killed: list[str] = []
        self.error: errdefs.Error | None = None

    async def run(
        self, container_id: str, exec_id: str, config: ExecConfig, *, height: int, width: int
    ) -> FakeExec:
        """Run one, or raise *error*."""
        if self.error is not None:
            raise self.error
        self.run_ones.append(FakeExec(self._processes.begin(900 + len(self.run_ones))))
        return self.run_ones[-1]

    async def kill_all(self, container_id: str) -> None:
        """Note it."""
        self.killed.append(container_id)


class FakeClock:
    """ports.Clock that passes with every sleep, at once."""

    def __init__(self) -> None:
        self.ns = 1_000

    def now_ns(self) -> int:
        """Return the time."""
        return self.ns

    async def sleep(self, seconds: float) -> None:
        """Let the time pass, and others run."""
        self.ns += int(seconds * 1_000_000_000)
        await asyncio.sleep(0)


class FakeSecretFolders:
    """A ports.SecretFolders that opens nothing."""

    def __init__(self) -> None:
        self.prepared: dict[str, tuple[SealedSecret, ...]] = {}
        self.rotations = 0

    def prepare(
        self, container_id: str, secrets: Sequence[SealedSecret], *, uid: int, gid: int
    ) -> None:
        if secrets:
            self.prepared[container_id] = tuple(secrets)

    def values(self, container_id: str) -> tuple[bytes, ...]:
        return tuple(one.sealed.box.encode() for one in self.prepared.get(container_id, ()))

    def rotate(self) -> None:
        self.rotations += 1

    def reseal(self, secret: SealedSecret) -> SealedSecret:
        box = f"{secret.sealed.box}+{self.rotations}"
        return secret.model_copy(update={"sealed": Sealed(box=box)})


class FakeHost:
    """The parts of a host in memory, and the Host made of them."""

    def __init__(self) -> None:
        self.processes = FakeProcesses()
        self.supervisor = FakeSupervisor(self.processes)
        self.runtime = FakeRuntime()
        self.bundles = FakeBundles()
        self.sockets = FakeSockets()
        self.mounts = FakeMounts()
        self.cgroups = FakeCgroups()
        self.logs = FakeLogs()
        self.secrets = FakeSecretFolders()
        self.ps = FakePs()
        self.execs = FakeExecs(self.processes)
        self.clock = FakeClock()

    def host(self) -> Host:
        """Return the host."""
        return Host(
            supervisor=self.supervisor,
            runtime=self.runtime,
            processes=self.processes,
            bundles=self.bundles,
            sockets=self.sockets,
            mounts=self.mounts,
            cgroups=self.cgroups,
            logs=self.logs,
            secrets=self.secrets,
            ps=self.ps,
            execs=self.execs,
            clock=self.clock,
        )


def _raise_next(errors: list[Exception]) -> None:
    if errors:
        raise errors.pop(0)
