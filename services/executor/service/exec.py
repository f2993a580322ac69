"""Execs: processes put beside a container's own, attached to whoever started them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.executor.domain import frames, layout, signals
from services.executor.ports import Host, Output, RunningExec, Terminal
from services.executor.service.watch import Watch
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.executor import (
    CreateExec,
    Exec,
    ExecConfig,
    ExecReply,
    ExecState,
    GetExec,
    ResizeExec,
    SignalExec,
    StartExec,
)
from shared.contracts.message import Done

#: How long one that was not started, or that ended, is remembered.
_KEPT_NS = 300 * 1_000_000_000
#: How long the end of a process may come after that of its output.
_LAG_S = 2.0
#: As a shell, and Docker, tell of what can't be run, and of what is not there.
_NOT_RUN, _NOT_FOUND = 126, 127
_READ_BYTES = 32 * 1024

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Entry:
    """An exec and what is known of it."""

    exec_id: str
    container_id: str
    config: ExecConfig
    #: When it was made, or ended.
    since_ns: int
    state: ExecState = ExecState.CREATED
    running: RunningExec | None = None
    exit_code: int | None = None

    def shown(self) -> Exec:
        """Return it as others see it."""
        process = self.running.process() if self.running else None
        return Exec(
            exec_id=self.exec_id,
            container_id=self.container_id,
            args=self.config.args,
            tty=self.config.tty,
            stdin=self.config.stdin,
            state=self.state,
            pid=process.pid if process else None,
            exit_code=self.exit_code,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A running exec, and how it is attached to its terminal."""

    running: RunningExec
    tty: bool
    #: Waits for its end, and notes how it was.
    following: asyncio.Task[None]

    async def attach(self, terminal: Terminal) -> None:
        """Copy both ways until there is no more output.

        Whoever hears of that end can ask for the exit code, unless the process goes on without
        an output.
        """
        taking = asyncio.create_task(self._take_input(terminal))
        try:
            async with asyncio.TaskGroup() as giving:
                for stream, output in self.running.outputs.items():
                    giving.create_task(self._give_output(stream, output, terminal))
            await asyncio.wait([self.following], timeout=_LAG_S)
            terminal.end()
        except* ConnectionError as gone:
            raise gone.exceptions[0] from None
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _give_output(self, stream: int, output: Output, terminal: Terminal) -> None:
        while data := await output.read(_READ_BYTES):
            await terminal.write(data if self.tty else frames.frame(stream, data))

    async def _take_input(self, terminal: Terminal) -> None:
        while data := await terminal.read():
            await self.running.write(data)
        self.running.end_input()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execs:
    """The execs of this executor's life: they end with it."""

    host: Host
    watch: Watch
    #: How long a process may take to end when whoever started it hung up.
    grace_s: float = 2.0
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def create(self, command: CreateExec) -> Exec:
        """Make an exec; a repeat finds it.

        Raises Conflict when the container does not run, or the id is another request's.
        """
        self._forget_old()
        entry = self._entries.get(command.exec_id)
        if entry is None:
            if not command.config.args:
                raise errdefs.InvalidArgument("No exec command specified")
            layout.check_exec_id(command.exec_id)
            self._require_running(command.container_id)
            entry = _Entry(
                exec_id=command.exec_id,
                container_id=command.container_id,
                config=command.config,
                since_ns=self.host.clock.now_ns(),
            )
            self._entries[command.exec_id] = entry
        elif (entry.container_id, entry.config) != (command.container_id, command.config):
            raise errdefs.Conflict(
                f"exec {command.exec_id} was made of another request: an Idempotency-Key stands "
                "for one; use another key"
            )
        return entry.shown()

    @asynccontextmanager
    async def started(self, command: StartExec) -> AsyncIterator[Attachment | None]:
        """Start an exec; in the block it is attached, unless it is to go on alone.

        It ends with the block, unless it has closed its output and goes on by itself. Raises
        Conflict for one that was started before.
        """
        entry = self._named(command.exec_id)
        running = await self._start(entry, command)
        following = self._spawn(self._follow(entry, running))
        if command.detach:
            running.end_input()
            for output in running.outputs.values():
                self._spawn(_drain(output))
            yield None
            return
        attachment = Attachment(running=running, tty=entry.config.tty, following=following)
        try:
            yield attachment
        except BaseException:
            await self._see_off(running, following)
            raise
        if not all(output.at_eof() for output in running.outputs.values()):
            await self._see_off(running, following)

    async def get_exec(self, command: GetExec, _: Delivery) -> ExecReply:
        """Show an exec."""
        return ExecReply(exec=self._named(command.exec_id).shown())

    async def resize_exec(self, command: ResizeExec, _: Delivery) -> Done:
        """Resize the terminal of a running exec; a repeat changes nothing."""
        self._running(command.exec_id).resize(command.height, command.width)
        return Done()

    async def signal_exec(self, command: SignalExec, _: Delivery) -> Done:
        """Signal the process of a running exec; a repeat sends the signal again."""
        number = signals.number_of(command.signal)
        process = self._running(command.exec_id).process()
        if process is None or not self.host.processes.send(process, number):
            raise _not_running(command.exec_id)
        return Done()

    async def close(self) -> None:
        """End all that were left to go on alone."""
        running = [entry.running for entry in self._entries.values() if entry.running]
        for each in running:
            await each.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self, entry: _Entry, command: StartExec) -> RunningExec:
        if entry.state is not ExecState.CREATED:
            raise errdefs.Conflict(
                f"exec command {entry.exec_id} "
                f"{'has already run' if entry.state is ExecState.EXITED else 'is already running'}"
            )
        self._require_running(entry.container_id)
        entry.state = ExecState.RUNNING
        try:
            entry.running = await self.host.execs.run(
                entry.container_id,
                entry.exec_id,
                entry.config,
                height=command.height,
                width=command.width,
            )
        except BaseException:
            self._ended(entry, _NOT_RUN)
            raise
        return entry.running

    async def _follow(self, entry: _Entry, running: RunningExec) -> None:
        """Wait for the end, note how it was, and leave nothing but what became a daemon."""
        try:
            code = await running.ended()
        except errdefs.InvalidArgument as error:
            log.info("exec not run", container_id=entry.container_id, reason=error.message)
            is_missing = "not found" in error.message or "no such file" in error.message
            code = _NOT_FOUND if is_missing else _NOT_RUN
        try:
            running.close()
        except (errdefs.Error, OSError) as error:
            # What is left goes with the container.
            log.warning("exec left something", exec_id=entry.exec_id, error=str(error))
        finally:
            self._ended(entry, code)

    async def _see_off(self, running: RunningExec, following: asyncio.Task[None]) -> None:
        """End the process of a reader that is gone, whatever becomes of who waits for it."""
        await asyncio.shield(self._spawn(self._end(running, following)))

    async def _end(self, running: RunningExec, following: asyncio.Task[None]) -> None:
        process = running.process()
        if process is not None and not following.done():
            self.host.processes.send(process, signal.SIGHUP)
            await asyncio.wait([following], timeout=self.grace_s)
        if not following.done():
            await running.kill()
            await following

    def _ended(self, entry: _Entry, code: int) -> None:
        entry.state, entry.exit_code, entry.running = ExecState.EXITED, code, None
        entry.since_ns = self.host.clock.now_ns()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _require_running(self, container_id: str) -> None:
        held = self.watch.named(container_id)
        if held.record.exit is not None:
            raise errdefs.Conflict(f"container {container_id} is not running")
        if self.host.cgroups.is_frozen(container_id):
            raise errdefs.Conflict(
                f"container {container_id} is paused, unpause the container before exec"
            )

    def _running(self, exec_id: str) -> RunningExec:
        running = self._named(exec_id).running
        if running is None:
            raise _not_running(exec_id)
        return running

    def _named(self, exec_id: str) -> _Entry:
        self._forget_old()
        try:
            return self._entries[exec_id]
        except KeyError:
            raise errdefs.NotFound(
                f"No such exec instance: {exec_id}", detail={"exec_id": exec_id}
            ) from None

    def _forget_old(self) -> None:
        oldest_ns = self.host.clock.now_ns() - _KEPT_NS
        for entry in tuple(self._entries.values()):
            if entry.state is not ExecState.RUNNING and entry.since_ns < oldest_ns:
                del self._entries[entry.exec_id]


async def _drain(output: Output) -> None:
    while await output.read(_READ_BYTES):
        pass


def _not_running(exec_id: str) -> errdefs.Error:
    return errdefs.Conflict(f"exec {exec_id} is not running", detail={"exec_id": exec_id})
