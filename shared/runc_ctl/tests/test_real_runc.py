"""Every subcommand on the real runc, with a real bundle; needs root, runc and a C compiler."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shared import runc_ctl
else:
    import runc_ctl

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="runc needs root here: run the tests as root"),
    pytest.mark.skipif(not shutil.which("runc"), reason="no runc: apt install runc"),
    pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc: apt install gcc libc6-dev"),
]

CGROUP = "/wherry/runc-ctl-test"
PROBE = Path(__file__).with_name("probe.c")


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program of the test containers, static so that it needs nothing else."""
    binary = tmp_path_factory.mktemp("probe") / "probe"
    subprocess.run(["gcc", "-static", "-Os", "-w", "-o", binary, PROBE], check=True)
    return binary


@pytest.fixture
def runc(tmp_path: Path) -> runc_ctl.Runc:
    """Give runc a state root of its own."""
    return runc_ctl.Runc(root=tmp_path / "root", timeout_s=30)


async def _deleted(runc: runc_ctl.Runc, name: str) -> None:
    """Delete a container; a machine under load may hold its cgroup for a moment."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return await runc.delete(name, runc_ctl.DeleteOpts(force=True))
        except runc_ctl.RuncError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)


@pytest.fixture
async def cid(runc: runc_ctl.Runc) -> AsyncIterator[str]:
    """Name a container; whatever became of it is gone after the test, cgroup and all."""
    name = f"t-{uuid.uuid4().hex[:12]}"

    yield name

    await _deleted(runc, name)
    assert cgroups(name) == []
    assert processes(name) == []
    assert runc.root
    assert not (runc.root / name).exists()
    assert str(runc.root.parent) not in Path("/proc/mounts").read_text()


@pytest.fixture(scope="module", autouse=True)
def no_cgroup_left() -> Iterator[None]:
    """Remove the cgroup above those of the tests, which runc makes and leaves."""
    yield
    for folder in Path("/sys/fs/cgroup").glob(f"*{CGROUP}"):
        folder.rmdir()


Change = Callable[[dict[str, Any]], None]
MakeBundle = Callable[..., Awaitable[Path]]


@pytest.fixture
def bundle(tmp_path: Path, probe: Path, runc: runc_ctl.Runc, cid: str) -> MakeBundle:
    """Make a bundle whose process is the probe with the given arguments."""

    async def make(*args: str, change: Change = lambda spec: None) -> Path:
        folder = tmp_path / "bundle"
        (folder / "rootfs").mkdir(parents=True)
        shutil.copy(probe, folder / "rootfs" / "probe")
        await runc.spec(folder)
        spec = json.loads((folder / "config.json").read_text())
        spec["process"] |= {"terminal": False, "args": ["/probe", *args]}
        spec["linux"]["cgroupsPath"] = f"{CGROUP}/{cid}"
        change(spec)
        (folder / "config.json").write_text(json.dumps(spec))
        return folder

    return make


@pytest.fixture
async def running(runc: runc_ctl.Runc, cid: str, bundle: MakeBundle) -> str:
    """Start a container that waits; returns its id."""
    await runc.create(cid, await bundle("wait"))
    await runc.start(cid)
    return cid


def cgroups(name: str) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"*{CGROUP}/{name}"))


def processes(name: str) -> list[str]:
    """Return the command lines of the processes in a container's cgroup."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{CGROUP}/{name}" in (entry / "cgroup").read_text():
                found.append((entry / "cmdline").read_text())  # empty: dead, not reaped yet
        except OSError:
            continue  # ended meanwhile
    return [line for line in found if line]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 15
    while not await true():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


async def status_is(runc: runc_ctl.Runc, cid: str, status: runc_ctl.Status) -> None:
    async def reached() -> bool:
        return (await runc.state(cid)).status is status

    await until(reached)


async def runs_waits(runc: runc_ctl.Runc, cid: str, count: int) -> None:
    """Wait until *count* processes of the container have got as far as the probe."""

    async def all_there() -> bool:
        return sum("probe\0wait" in line for line in processes(cid)) == count

    await until(all_there)


async def test_a_whole_life(runc: runc_ctl.Runc, cid: str, bundle: MakeBundle) -> None:
    """Created, running, stopped, deleted; state and list tell the same throughout."""
    folder = await bundle("wait")
    pid_file = folder / "pid"

    await runc.create(cid, folder, runc_ctl.CreateOpts(pid_file=pid_file))
    created = await runc.state(cid)
    assert (created.status, created.bundle) == (runc_ctl.Status.CREATED, folder)
    assert created.pid == int(pid_file.read_text())
    await runc.start(cid)
    assert (await runc.state(cid)).status is runc_ctl.Status.RUNNING
    assert [(each.id, each.pid) for each in await runc.list()] == [(cid, created.pid)]
    await runc.kill(cid, "KILL")
    await status_is(runc, cid, runc_ctl.Status.STOPPED)
    assert await runc.ps(cid) == ()
    await runc.delete(cid)

    assert await runc.list() == ()


async def test_what_is_not_there(runc: runc_ctl.Runc, cid: str) -> None:
    """Every verb says ContainerNotFound of an unknown id, but delete by force."""
    for call in (
        runc.state(cid), runc.start(cid), runc.kill(cid), runc.delete(cid), runc.pause(cid),
        runc.resume(cid), runc.ps(cid), runc.stats(cid), runc.exec(cid, ["/probe"]),
        runc.update(cid, runc_ctl.UpdateOpts(memory=1)), runc.checkpoint(cid),
    ):  # fmt: skip
        with pytest.raises(runc_ctl.ContainerNotFound):
            await call
    with pytest.raises(runc_ctl.ContainerNotFound):
        _ = [event async for event in runc.events(cid)]
    await runc.delete(cid, runc_ctl.DeleteOpts(force=True))


async def test_what_is_there_already(runc: runc_ctl.Runc, running: str, tmp_path: Path) -> None:
    """A second create or start is refused, and so is the delete of what runs."""
    with pytest.raises(runc_ctl.ContainerExists):
        await runc.create(running, tmp_path / "bundle")
    with pytest.raises(runc_ctl.WrongState):
        await runc.start(running)
    with pytest.raises(runc_ctl.WrongState):
        await runc.delete(running)
    with pytest.raises(runc_ctl.WrongState):
        await runc.resume(running)


async def test_what_has_stopped(runc: runc_ctl.Runc, running: str) -> None:
    """Verbs for the living say ContainerNotRunning of a stopped container."""
    await runc.kill(running, 9)
    await status_is(runc, running, runc_ctl.Status.STOPPED)

    for call in (
        runc.start(running), runc.kill(running), runc.pause(running), runc.stats(running),
        runc.exec(running, ["/probe"]), runc.update(running, runc_ctl.UpdateOpts(memory=2**25)),
    ):  # fmt: skip
        with pytest.raises(runc_ctl.ContainerNotRunning):
            await call


@pytest.mark.parametrize(
    ("args", "status"), [(("exit", "0"), 0), (("exit", "7"), 7), (("exit", "255"), 255)]
)
async def test_run_returns_the_exit_status(
    runc: runc_ctl.Runc, cid: str, bundle: MakeBundle, args: tuple[str, ...], status: int
) -> None:
    """Run returns what the process returned, and keeps nothing."""
    assert await runc.run(cid, await bundle(*args)) == status
    assert await runc.list() == ()


async def test_run_detached_and_kept(runc: runc_ctl.Runc, cid: str, bundle: MakeBundle) -> None:
    """A detached run returns at once, and the container is there."""
    assert await runc.run(cid, await bundle("wait"), runc_ctl.RunOpts(detach=True)) == 0
    assert (await runc.state(cid)).status is runc_ctl.Status.RUNNING


@pytest.mark.parametrize(("signal", "status"), [("TERM", 42), ("KILL", 137)])
async def test_run_of_a_killed_container(
    runc: runc_ctl.Runc, cid: str, bundle: MakeBundle, signal: str, status: int
) -> None:
    """A handled signal shows as the process's status, another as 128 and its number."""
    task = asyncio.create_task(runc.run(cid, await bundle("wait")))
    await runs_waits(runc, cid, 1)
    await until_catching(cid)

    await runc.kill(cid, signal)

    assert await task == status


async def until_catching(cid: str) -> None:
    """Wait until the container's only process has its handler of SIGTERM."""

    async def catching() -> bool:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"{CGROUP}/{cid}" not in (entry / "cgroup").read_text():
                    continue
                fields = dict(
                    line.split(":\t", 1) for line in (entry / "status").read_text().splitlines()
                )
            except (OSError, ValueError):
                continue
            return bool(int(fields["SigCgt"], 16) & 1 << 14)
        return False

    await until(catching)


@pytest.mark.parametrize(
    ("args", "status"),
    [(("exit", "0"), 0), (("exit", "7"), 7), (("exit", "255"), 255), (("die", "9"), 137)],
)
async def test_exec_returns_the_exit_status(
    runc: runc_ctl.Runc, running: str, args: tuple[str, ...], status: int
) -> None:
    """Exec returns what the process returned, 255 included, which runc uses itself."""
    assert await runc.exec(running, ["/probe", *args]) == status


async def test_exec_of_what_can_not_be_run(runc: runc_ctl.Runc, running: str) -> None:
    """A missing command is runc's failure, not an exit status."""
    with pytest.raises(runc_ctl.RuncError, match="no such file"):
        await runc.exec(running, ["/nope"])


async def test_exec_with_streams(runc: runc_ctl.Runc, running: str, tmp_path: Path) -> None:
    """Streams, environment and preserved descriptors reach the process."""
    (tmp_path / "in").write_text("from 3")
    with (tmp_path / "in").open() as source, (tmp_path / "out").open("w") as out:
        stdio = runc_ctl.Stdio(stdout=out.fileno())
        opts = runc_ctl.ExecOpts(stdio=stdio, preserve_fds=(source.fileno(),))
        assert await runc.exec(running, ["/probe", "cat", "3"], opts) == 0
        opts = runc_ctl.ExecOpts(stdio=stdio, env={"NAME": "; from env"})
        assert await runc.exec(running, ["/probe", "env", "NAME"], opts) == 0

    assert (tmp_path / "out").read_text() == "from 3; from env\n"


async def test_exec_on_a_terminal(runc: runc_ctl.Runc, running: str, tmp_path: Path) -> None:
    """The terminal's descriptor comes through the console socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "tty"))
        listener.listen()
        opts = runc_ctl.ExecOpts(tty=True, detach=True, console_socket=tmp_path / "tty")

        assert await runc.exec(running, ["/probe", "tty"], opts) == 0

        peer, _ = listener.accept()
        with peer:
            _, (master, *_), _, _ = socket.recv_fds(peer, 100, 1)
    with os.fdopen(master, "rb", 0) as terminal:
        assert await asyncio.to_thread(terminal.read, 100) == b"terminal\r\n"


async def test_output_of_a_detached_container_on_a_pipe(
    runc: runc_ctl.Runc, cid: str, bundle: MakeBundle
) -> None:
    """Create returns though the container holds the pipe, which ends with the container."""
    reading, writing = os.pipe()
    opts = runc_ctl.CreateOpts(stdio=runc_ctl.Stdio(stdout=writing))
    await runc.create(cid, await bundle("wait"), opts)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        await runc.start(cid)
        assert await asyncio.to_thread(pipe.readline) == "waiting\n"
        await runc.kill(cid, "KILL")
        assert await asyncio.to_thread(pipe.read) == ""


async def test_pause_and_resume(runc: runc_ctl.Runc, running: str) -> None:
    """A paused container says so, takes no exec unless told, and goes on when resumed."""
    await runc.pause(running)
    assert (await runc.state(running)).status is runc_ctl.Status.PAUSED
    with pytest.raises(runc_ctl.WrongState):
        await runc.exec(running, ["/probe", "exit", "0"])
    with pytest.raises(runc_ctl.WrongState):
        await runc.pause(running)
    await runc.resume(running)

    assert (await runc.state(running)).status is runc_ctl.Status.RUNNING


async def test_ps_counts_execs(runc: runc_ctl.Runc, running: str) -> None:
    """Ps names the init process and every other."""
    await runc.exec(running, ["/probe"], runc_ctl.ExecOpts(detach=True))

    pids = await runc.ps(running)

    assert len(pids) == 2
    assert (await runc.state(running)).pid in pids


async def test_kill_all(runc: runc_ctl.Runc, running: str) -> None:
    """With `all` the other processes get the signal as well."""
    await runc.exec(running, ["/probe"], runc_ctl.ExecOpts(detach=True))
    await runc.kill(running, "KILL", runc_ctl.KillOpts(all=True))

    await status_is(runc, running, runc_ctl.Status.STOPPED)


async def test_update_shows_in_stats(runc: runc_ctl.Runc, running: str) -> None:
    """A new limit is what the next figures tell."""
    await runc.update(running, runc_ctl.UpdateOpts(memory=2**26, pids_limit=50))

    stats = await runc.stats(running)

    assert (stats.memory.limit, stats.pids_limit, stats.pids) == (2**26, 50, 1)
    assert stats.memory.usage > 0


async def test_events_until_the_end(runc: runc_ctl.Runc, running: str) -> None:
    """Figures come at the interval, and the iterator ends when the container is deleted."""
    seen = []
    async with aclosing(runc.events(running, runc_ctl.EventsOpts(interval_s=0.1))) as events:
        async for event in events:
            seen.append((event.type, event.container_id))
            if len(seen) == 2:
                await runc.delete(running, runc_ctl.DeleteOpts(force=True))

    assert set(seen) == {("stats", running)}


async def test_events_tell_of_oom(runc: runc_ctl.Runc, running: str) -> None:
    """A process that eats past the limit is killed, and events say oom."""
    await runc.update(running, runc_ctl.UpdateOpts(memory=2**24, memory_swap=2**24))
    async with aclosing(runc.events(running, runc_ctl.EventsOpts(interval_s=60))) as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        eaters = 0
        while not first.done():  # runc may not listen yet when the first one dies
            assert await runc.exec(running, ["/probe", "eat"]) == 137
            eaters += 1
            assert eaters < 50
        assert (await first).type == "oom"


async def test_features_and_version(runc: runc_ctl.Runc) -> None:
    """The binary tells what it is and can."""
    assert (await runc.version()).runc[0].isdigit()
    assert "createRuntime" in (await runc.features()).hooks


async def test_spec_does_not_overwrite(runc: runc_ctl.Runc, tmp_path: Path) -> None:
    """A config.json that is there stays, and that is an error."""
    await runc.spec(tmp_path, rootless=True)
    with pytest.raises(runc_ctl.RuncError, match="exists"):
        await runc.spec(tmp_path)


async def test_cancelled_exec_ends_its_process(runc: runc_ctl.Runc, running: str) -> None:
    """The process in the container goes with the call; the container does not."""
    task = asyncio.create_task(runc.exec(running, ["/probe", "wait"]))
    await runs_waits(runc, running, 2)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await runc.ps(running) == ((await runc.state(running)).pid,)


async def test_cancelled_run_deletes(runc: runc_ctl.Runc, cid: str, bundle: MakeBundle) -> None:
    """The container of a cancelled run is gone when the call returns, even a kept one."""
    opts = runc_ctl.RunOpts(keep=True)
    task = asyncio.create_task(runc.run(cid, await bundle("wait"), opts))
    await runs_waits(runc, cid, 1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await runc.list() == ()
    assert cgroups(cid) == []


async def test_cancelled_create_in_a_hook(
    runc: runc_ctl.Runc, cid: str, bundle: MakeBundle, tmp_path: Path
) -> None:
    """A create that hangs in a hook takes hook, container and cgroup with it."""

    def hang(spec: dict[str, Any]) -> None:
        script = f"touch {tmp_path}/hooked; sleep 300; true"
        spec["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}

    async def hooked() -> bool:
        return (tmp_path / "hooked").exists()

    task = asyncio.create_task(runc.create(cid, await bundle("wait", change=hang)))
    await until(hooked)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await runc.list() == ()
    assert cgroups(cid) == []


async def test_create_cancelled_at_any_moment(
    runc: runc_ctl.Runc, cid: str, bundle: MakeBundle
) -> None:
    """Whenever the cancellation comes, nothing is left and the id is free again."""
    folder = await bundle("wait")
    for delay_ms in range(0, 60, 3):
        task = asyncio.create_task(runc.create(cid, folder))
        await asyncio.wait([task], timeout=delay_ms / 1000)
        finished = not task.cancel()
        await asyncio.wait([task])
        if finished:
            await runc.delete(cid, runc_ctl.DeleteOpts(force=True))
        assert cgroups(cid) == []
        assert processes(cid) == []
    assert await runc.list() == ()


async def test_cancelled_create_of_a_taken_id(
    runc: runc_ctl.Runc, running: str, tmp_path: Path
) -> None:
    """The container that has the id already survives the cancellation."""
    task = asyncio.create_task(runc.create(running, tmp_path / "bundle"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert (await runc.state(running)).status is runc_ctl.Status.RUNNING


def criu_says() -> str:
    """Return why criu does not work here; empty if it does."""
    if not shutil.which("criu"):
        return "no criu: apt install criu"
    check = subprocess.run(["criu", "check"], capture_output=True, text=True, check=False)
    return f"criu check fails: {check.stderr.strip()[-200:]}" if check.returncode else ""


async def test_checkpoint_and_restore(runc: runc_ctl.Runc, running: str, tmp_path: Path) -> None:
    """A container that was saved and stopped goes on when restored."""
    if reason := criu_says():
        pytest.skip(reason)
    image = tmp_path / "image"

    await runc.checkpoint(running, runc_ctl.CheckpointOpts(image_path=image))
    await runc.delete(running, runc_ctl.DeleteOpts(force=True))
    opts = runc_ctl.RestoreOpts(image_path=image, detach=True)
    assert await runc.restore(running, tmp_path / "bundle", opts) == 0

    assert (await runc.state(running)).status is runc_ctl.Status.RUNNING


async def test_restore_of_nothing(
    runc: runc_ctl.Runc, cid: str, bundle: MakeBundle, tmp_path: Path
) -> None:
    """Without an image restore raises, and makes no container."""
    opts = runc_ctl.RestoreOpts(image_path=tmp_path / "none", detach=True)
    with pytest.raises(runc_ctl.RuncError):
        await runc.restore(cid, await bundle("wait"), opts)

    assert await runc.list() == ()
