"""What a call does with its processes, descriptors and files; scripts stand in for runc."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from shared import runc_ctl
else:
    import runc_ctl

MakeFake = Callable[[str], str]

ERROR = """printf '{"level":"error","msg":"%s"}\\n' "container does not exist" >> "$log"\n"""


async def appears(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"{path} never came"
        await asyncio.sleep(0.01)
    return path.read_text().strip()


def lives(pid: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_a_runc_that_succeeds() -> None:
    """Exit status 0 is success for calls without an answer."""
    await runc_ctl.Runc(command="true").start("c1")


async def test_a_runc_that_fails_without_a_word() -> None:
    """Any other exit status is an error even if the log is empty."""
    with pytest.raises(runc_ctl.RuncError, match="exit status 1 without a word"):
        await runc_ctl.Runc(command="false").start("c1")


async def test_a_deletion_that_only_the_log_calls_failed(fake: MakeFake) -> None:
    """A delete that exits with 0 but left something behind is an error, told from its log."""
    script = """printf '{"level":"error","msg":"unable to remove cgroup"}\\n' >> "$log"; exit 0"""

    with pytest.raises(runc_ctl.RuncError, match="unable to remove cgroup"):
        await runc_ctl.Runc(command=fake(script)).delete("c1")


@pytest.mark.parametrize("command", ["no-such-runc", "/no/such/runc", "/etc/passwd", "/etc"])
async def test_there_is_no_runc(command: str) -> None:
    """A binary that is missing or can't be executed is an error of its own."""
    with pytest.raises(runc_ctl.RuncNotFound, match=command):
        await runc_ctl.Runc(command=command).list()
    with pytest.raises(runc_ctl.RuncNotFound):
        _ = [event async for event in runc_ctl.Runc(command=command).events("c1")]


async def test_256_calls_at_once(fake: MakeFake) -> None:
    """Parallel calls get each their own answer."""
    runc = runc_ctl.Runc(command=fake('echo "[${4#c}]"'))  # ps --format json c<n>

    answers = await asyncio.gather(*(runc.ps(f"c{n}") for n in range(256)))

    assert answers == [(n,) for n in range(256)]


async def test_the_log_is_kept_on_demand(fake: MakeFake, tmp_path: Path) -> None:
    """With `log` the lines of every call are gathered; errors carry their own as ever."""
    runc = runc_ctl.Runc(command=fake(ERROR + "exit 1"), log=tmp_path / "runc.log")

    for _ in range(2):
        with pytest.raises(runc_ctl.ContainerNotFound) as caught:
            await runc.state("c1")

    assert len(caught.value.log) == 1
    assert (tmp_path / "runc.log").read_text().count("does not exist") == 2


async def test_exit_status_of_the_process(fake: MakeFake, tmp_path: Path) -> None:
    """Without an error in the log the exit status is the process's."""
    runc = runc_ctl.Runc(command=fake("exit 137"))

    assert await runc.exec("c1", ["x"]) == 137
    assert await runc.run("c1", tmp_path) == 137


async def test_failure_of_runc_itself(fake: MakeFake, tmp_path: Path) -> None:
    """With an error last in the log, exec and run raise what it says."""
    runc = runc_ctl.Runc(command=fake(ERROR + "exit 255"))

    with pytest.raises(runc_ctl.ContainerNotFound) as caught:
        await runc.exec("c1", ["x"])
    assert caught.value.returncode == 255
    with pytest.raises(runc_ctl.ContainerNotFound):
        await runc.run("c1", tmp_path)


async def test_runc_killed_by_another(fake: MakeFake) -> None:
    """A runc that dies of a signal is a failure, not an exit status of the process."""
    runc = runc_ctl.Runc(command=fake("kill -9 $$"))

    with pytest.raises(runc_ctl.RuncError, match="killed by signal 9"):
        await runc.exec("c1", ["x"])


async def test_detached_exec_that_fails(fake: MakeFake) -> None:
    """A create or detached call that exits with something else than 0 is runc's failure."""
    runc = runc_ctl.Runc(command=fake("exit 1"))

    with pytest.raises(runc_ctl.RuncError, match="exit status 1"):
        await runc.exec("c1", ["x"], runc_ctl.ExecOpts(detach=True))
    with pytest.raises(runc_ctl.RuncError, match="exit status 1"):
        await runc.create("c1", Path("/b"))


async def test_timeout(fake: MakeFake, tmp_path: Path) -> None:
    """A call that takes too long is killed with its children and raises Timeout."""
    pid = tmp_path / "pid"
    script = f"[ $1 = state ] || exit 0; sleep 300 & echo $! > {pid}; wait"
    runc = runc_ctl.Runc(command=fake(script), timeout_s=0.5)

    with pytest.raises(runc_ctl.Timeout, match=r"runc state c1: not finished after 0\.5 s"):
        await runc.state("c1")
    assert not lives(pid.read_text().strip())


async def test_waiting_for_a_process_has_no_timeout(fake: MakeFake) -> None:
    """The timeout is for runc's own work, not for what runs in the container."""
    runc = runc_ctl.Runc(command=fake("sleep 0.3; exit 5"), timeout_s=0.1)

    assert await runc.exec("c1", ["x"]) == 5


async def test_cancelled_call_kills_what_it_started(fake: MakeFake, tmp_path: Path) -> None:
    """Children go too, in runc's group or, as container processes are, in their own session."""
    pids = tmp_path / "pids"
    script = f"setsid sleep 300 & a=$!; sleep 300 & echo $a $! > {pids}; wait; sleep 300"
    task = asyncio.create_task(runc_ctl.Runc(command=fake(script)).exec("c1", ["x"]))
    first, second = (await appears(pids)).split()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not lives(first)
    assert not lives(second)


async def test_cancelled_twice(fake: MakeFake, tmp_path: Path) -> None:
    """Impatience does not orphan a runc that ignores the death of its children."""
    pid = tmp_path / "pid"
    task = asyncio.create_task(
        runc_ctl.Runc(command=fake(f"echo $$ > {pid}; exec sleep 300")).start("c1")
    )
    number = await appears(pid)

    task.cancel()
    for _ in range(20):  # it is about to wait for the end of runc
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not lives(number)


@pytest.mark.parametrize("call", ["create", "run"])
async def test_cancelled_create_deletes(fake: MakeFake, tmp_path: Path, call: str) -> None:
    """What a cancelled create or run left half made is deleted by force."""
    seen, began = tmp_path / "seen", tmp_path / "began"
    script = f'echo "$@" >> {seen}; [ $1 = delete ] || {{ echo > {began}; sleep 300; }}'
    runc = runc_ctl.Runc(command=fake(script), root=tmp_path / "root")
    task = asyncio.ensure_future(getattr(runc, call)("c1", Path("/b")))
    await appears(began)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert seen.read_text().splitlines() == [f"{call} --bundle /b c1", "delete --force c1"]


async def test_cancelled_create_spares_what_was_there(fake: MakeFake, tmp_path: Path) -> None:
    """A container of that id from before is not the cancelled call's to delete."""
    seen, began = tmp_path / "seen", tmp_path / "began"
    (tmp_path / "root" / "c1").mkdir(parents=True)
    script = f'echo "$1" >> {seen}; echo > {began}; sleep 300'
    runc = runc_ctl.Runc(command=fake(script), root=tmp_path / "root")
    task = asyncio.create_task(runc.create("c1", Path("/b")))
    await appears(began)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert seen.read_text().split() == ["create"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file")
async def test_cancelled_create_unmounts(fake: MakeFake, tmp_path: Path) -> None:
    """A child of runc that was killed may leave a mount of runc where the container's state is."""
    began, state = tmp_path / "began", tmp_path / "root" / "c1"
    script = f"""[ $1 = delete ] && exec rm -r {state}
mkdir -p {state}; touch {state}/runc.Ab12; mount --bind $0 {state}/runc.Ab12; echo > {began}
sleep 300"""
    runc = runc_ctl.Runc(command=fake(script), root=tmp_path / "root")
    task = asyncio.create_task(runc.create("c1", Path("/b")))
    await appears(began)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not state.exists()


async def test_a_failed_cleanup_is_noted(fake: MakeFake, tmp_path: Path) -> None:
    """If the half made container can't be deleted, the exception says so."""
    script = ERROR + "[ $1 = delete ] && exit 1; sleep 300"
    runc = runc_ctl.Runc(command=fake(script), root=tmp_path / "root", timeout_s=0.3)

    with pytest.raises(runc_ctl.Timeout) as caught:
        await runc.create("c1", Path("/b"))

    assert "may be left" in caught.value.__notes__[0]


async def test_closed_events_end_runc(fake: MakeFake, tmp_path: Path) -> None:
    """Leaving the iterator kills runc, which would go on for ever."""
    pid = tmp_path / "pid"
    script = f"""echo $$ > {pid}; echo '{{"type":"oom","id":"c1"}}'; exec sleep 300"""
    runc = runc_ctl.Runc(command=fake(script))

    async with aclosing(runc.events("c1")) as events:
        assert (await anext(events)).type == "oom"
        assert lives(await appears(pid))

    assert not lives(pid.read_text().strip())


async def test_events_that_fail_later(fake: MakeFake) -> None:
    """An error after some events is raised when they have been yielded."""
    script = """echo '{"type":"oom","id":"c1"}'\n""" + ERROR + "exit 1"
    seen = []

    async def watch() -> None:
        async for event in runc_ctl.Runc(command=fake(script)).events("c1"):
            seen.append(event.type)  # noqa: PERF401  # a comprehension would lose them

    with pytest.raises(runc_ctl.ContainerNotFound):
        await watch()

    assert seen == ["oom"]


async def test_stdio_is_the_callers(fake: MakeFake, tmp_path: Path) -> None:
    """The three descriptors go to the process; without them it gets /dev/null."""
    runc = runc_ctl.Runc(command=fake("cat; echo oops >&2"))
    (tmp_path / "in").write_text("hello\n")

    with (
        (tmp_path / "in").open() as stdin,
        (tmp_path / "out").open("w") as stdout,
        (tmp_path / "err").open("w") as stderr,
    ):
        stdio = runc_ctl.Stdio(stdin=stdin.fileno(), stdout=stdout.fileno(), stderr=stderr.fileno())
        assert await runc.exec("c1", ["x"], runc_ctl.ExecOpts(stdio=stdio)) == 0
    assert await runc.exec("c1", ["x"]) == 0

    assert (tmp_path / "out").read_text() == "hello\n"
    assert (tmp_path / "err").read_text() == "oops\n"


async def test_a_pipe_held_by_the_container_does_not_hold_the_call(fake: MakeFake) -> None:
    """A detached process keeps its pipe, and the call returns all the same."""
    reading, writing = os.pipe()
    runc = runc_ctl.Runc(command=fake("setsid sh -c 'sleep 0.5; echo late' &"))

    await asyncio.wait_for(
        runc.create("c1", Path("/b"), runc_ctl.CreateOpts(stdio=runc_ctl.Stdio(stdout=writing))),
        0.4,
    )
    os.close(writing)

    with os.fdopen(reading) as pipe:
        assert await asyncio.to_thread(pipe.read) == "late\n"


async def test_preserved_descriptors_count_from_3(fake: MakeFake, tmp_path: Path) -> None:
    """Whatever their numbers here, in whatever order, they arrive as 3, 4, …."""
    for name in "ab":
        (tmp_path / name).write_text(name)
    runc = runc_ctl.Runc(command=fake("cat <&3 >&5; cat <&4 >&5"))

    with (
        (tmp_path / "a").open() as a,
        (tmp_path / "b").open() as b,
        (tmp_path / "out").open("w") as out,
    ):
        fds = (b.fileno(), a.fileno(), out.fileno())
        await runc.exec("c1", ["x"], runc_ctl.ExecOpts(preserve_fds=fds))

    assert (tmp_path / "out").read_text() == "ba"


async def test_systemds_variables_stay_here(
    fake: MakeFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller started by systemd does not hand its sockets to containers."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("LISTEN_FDS", "3")
    monkeypatch.setenv("KEPT", "yes")

    await runc_ctl.Runc(command=fake(f"env > {tmp_path}/env")).start("c1")

    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "KEPT" in names
    assert not names & {"NOTIFY_SOCKET", "LISTEN_FDS"}


@pytest.fixture(scope="session")
def new_uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    uvloop = pytest.importorskip("uvloop", reason="pip install uvloop to test on it")
    uvloop.new_event_loop().close()  # the first one makes a pipe for the life of the process
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)


def test_on_uvloop(fake: MakeFake, new_uvloop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """The calls need nothing of asyncio's own loop: exits are told by descriptors."""
    runc = runc_ctl.Runc(
        command=fake("""[ $1 = ps ] && echo '[1]' || echo '{"type":"oom","id":"c1"}'""")
    )

    async def both() -> tuple[tuple[int, ...], list[str]]:
        return await runc.ps("c1"), [event.type async for event in runc.events("c1")]

    with asyncio.Runner(loop_factory=new_uvloop) as runner:
        assert runner.run(both()) == ((1,), ["oom"])
