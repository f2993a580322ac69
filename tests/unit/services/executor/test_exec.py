"""Execs, on a host in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import signal
from collections.abc import AsyncIterator

import pytest

from services.executor.service.executor import Executor
from shared import errdefs
from shared.contracts.executor import (
    ContainerConfig,
    CreateExec,
    Exec,
    ExecConfig,
    ExecState,
    GetExec,
    ResizeExec,
    SignalExec,
    StartContainer,
    StartExec,
    StopContainer,
)
from tests.support.bus import FakePublisher, delivery
from tests.support.containers import eventually
from tests.support.host import FakeHost


class FakeTerminal:
    """ports.Terminal: what is typed is put in by the test."""

    def __init__(self) -> None:
        self.typed = asyncio.StreamReader()
        self.shown = b""
        self.has_ended = False

    async def read(self) -> bytes:
        """Return what is typed."""
        return await self.typed.read(100)

    async def write(self, data: bytes) -> None:
        """Show it."""
        self.shown += data

    def end(self) -> None:
        """Note it."""
        self.has_ended = True


class Scene:
    """An executor with a container, and an exec in it."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.executor = Executor(self.host.host(), FakePublisher(), log_check_interval_s=1)
        self.terminal = FakeTerminal()

    async def begin(self) -> None:
        """Start the container."""
        config = ContainerConfig(rootfs="/rootfs", args=("/p",))
        command = StartContainer(container_id="c-1", config=config)
        await self.executor.start_container(command, delivery())

    def create(self, *, tty: bool = False, args: tuple[str, ...] = ("cat",)) -> Exec:
        """Make the exec."""
        config = ExecConfig(args=args, tty=tty, stdin=True)
        return self.executor.execs.create(
            CreateExec(exec_id="x", container_id="c-1", config=config)
        )

    async def attach(self) -> None:
        """Start it and speak with it until its end."""
        async with self.executor.execs.started(StartExec(exec_id="x")) as attached:
            assert attached is not None
            await attached.attach(self.terminal)

    async def get(self) -> Exec:
        """Return the exec."""
        return (await self.executor.execs.get_exec(GetExec(exec_id="x"), delivery())).exec


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Give a running container."""
    scene = Scene()
    await scene.begin()
    yield scene
    await scene.executor.close()


async def test_attached(scene: Scene) -> None:
    """Input goes in, output comes out in frames, and the exit code is known when that ends."""
    assert scene.create().state is ExecState.CREATED
    attached = asyncio.create_task(scene.attach())
    await eventually(lambda: scene.host.execs.run_ones, "it runs")
    (run,) = scene.host.execs.run_ones
    assert (await scene.get()).pid == 900
    scene.terminal.typed.feed_data(b"in")
    await eventually(lambda: run.input == b"in", "input arrives")
    scene.terminal.typed.feed_eof()
    await eventually(lambda: run.has_input_ended, "and its end")
    run.outputs[2].feed(b"err")
    await eventually(lambda: scene.terminal.shown == b"\x02\0\0\0\0\0\0\x03err", "output comes")
    run.end(7)
    await attached
    shown = await scene.get()
    assert (shown.state, shown.exit_code, shown.pid) == (ExecState.EXITED, 7, None)
    assert scene.terminal.has_ended
    assert run.is_closed
    assert not run.is_killed


async def test_terminal_has_no_frames(scene: Scene) -> None:
    """On a terminal output is what it is."""
    scene.create(tty=True)
    attached = asyncio.create_task(scene.attach())
    await eventually(lambda: scene.host.execs.run_ones, "it runs")
    (run,) = scene.host.execs.run_ones
    run.outputs[1].feed(b"$ ")
    command = ResizeExec(exec_id="x", height=3, width=4)
    await scene.executor.execs.resize_exec(command, delivery())
    run.end(0)
    await attached
    assert scene.terminal.shown == b"$ "
    assert run.sizes == [(3, 4)]


async def test_who_hangs_up(scene: Scene) -> None:
    """The process of a reader that is gone is told, and killed when it does not end."""
    scene.executor.execs = dataclasses.replace(scene.executor.execs, grace_s=0.01)
    scene.create()
    attached = asyncio.create_task(scene.attach())
    await eventually(lambda: scene.host.execs.run_ones, "it runs")
    (run,) = scene.host.execs.run_ones
    attached.cancel()
    await asyncio.wait([attached])
    assert (900, signal.SIGHUP) in scene.host.processes.sent
    assert run.is_killed
    assert run.is_closed
    assert (await scene.get()).exit_code == 137


async def test_detached(scene: Scene) -> None:
    """A detached one finds no input, goes on by itself, and ends with the executor."""
    scene.create()
    async with scene.executor.execs.started(StartExec(exec_id="x", detach=True)) as attached:
        assert attached is None
    (run,) = scene.host.execs.run_ones
    assert run.has_input_ended
    assert (await scene.get()).state is ExecState.RUNNING
    signalled = SignalExec(exec_id="x", signal="SIGUSR1")
    await scene.executor.execs.signal_exec(signalled, delivery())
    assert (900, signal.SIGUSR1) in scene.host.processes.sent
    await scene.executor.close()
    assert run.is_killed


@pytest.mark.parametrize(
    ("said", "code"),
    [("exec: x: executable file not found in $PATH", 127), ("x: permission denied", 126)],
)
async def test_not_run(scene: Scene, said: str, code: int) -> None:
    """What could not be run ends with a shell's code for why."""
    scene.create()
    attached = asyncio.create_task(scene.attach())
    await eventually(lambda: scene.host.execs.run_ones, "it runs")
    scene.host.execs.run_ones[0].fail(said)
    await attached
    assert (await scene.get()).exit_code == code


async def test_started_twice(scene: Scene) -> None:
    """An exec starts once; its refusal says whether it still runs."""
    scene.create()
    start = StartExec(exec_id="x", detach=True)
    async with scene.executor.execs.started(start):
        pass
    with pytest.raises(errdefs.Conflict, match="is already running"):
        async with scene.executor.execs.started(start):
            pass


async def test_refused(scene: Scene) -> None:
    """One that asks for nothing, or that nobody made, or in a container that does not run."""
    with pytest.raises(errdefs.InvalidArgument, match="No exec command"):
        scene.create(args=())
    with pytest.raises(errdefs.NotFound, match="No such exec instance: x"):
        await scene.get()
    scene.host.cgroups.frozen.add("c-1")
    with pytest.raises(errdefs.Conflict, match="is paused"):
        scene.create()
    scene.host.cgroups.frozen.clear()
    await scene.executor.stop_container(StopContainer(container_id="c-1"), delivery())
    with pytest.raises(errdefs.Conflict, match="is not running"):
        scene.create()


async def test_forgotten(scene: Scene) -> None:
    """One that is never started is forgotten after five minutes; a repeated creation finds it."""
    assert scene.create() == scene.create()
    scene.host.clock.ns += 301 * 10**9
    with pytest.raises(errdefs.NotFound):
        await scene.get()


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), errdefs.Conflict("busy")],
    ids=["os", "busy"],
)
async def test_what_can_not_be_cleared_away(scene: Scene, error: Exception) -> None:
    """An exec has ended with its code though something of it is left behind."""
    scene.create()
    attached = asyncio.create_task(scene.attach())
    await eventually(lambda: scene.host.execs.run_ones, "it runs")
    (run,) = scene.host.execs.run_ones
    run.close_error = error
    run.end(7)
    await attached
    shown = await scene.get()
    assert (shown.state, shown.exit_code) == (ExecState.EXITED, 7)


async def test_executor_before(scene: Scene) -> None:
    """What an executor before has left is ended when its containers are taken up."""
    await scene.executor.close()
    again = Executor(scene.host.host(), FakePublisher(), log_check_interval_s=1)
    await again.restore()
    assert scene.host.execs.killed == ["c-1"]
    await again.close()
