"""What an executor makes of the containers that an earlier one started."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from services.executor.adapters.cgroups import HostCgroups
from services.executor.adapters.conmon import Conmon
from services.executor.adapters.pidfd import PidfdProcesses, identify
from services.executor.bootstrap import build
from services.executor.domain.record import Phase
from shared import errdefs
from shared.contracts.executor import (
    ContainerExited,
    ContainerObserved,
    ContainerStatus,
    ExecutorStarted,
    HealthCheck,
    HealthStatus,
    ReleaseNode,
    UnmountTree,
)
from shared.node.runtimes import Runtimes
from tests.support.bus import delivery
from tests.support.containers import ExecutorNode, eventually

pytestmark = pytest.mark.root


async def test_a_running_container_is_taken_up(node: ExecutorNode) -> None:
    """A container keeps its process over a restart, and its exit is seen by the new executor."""
    before = await node.start_listening("c-1")

    await node.restart()

    assert await node.get("c-1") == before
    assert node.publisher.published == [ExecutorStarted()]
    assert (await node.start_listening("c-1")).pid == before.pid
    await node.stop("c-1")
    assert (await node.exit_of("c-1")).exit.exit_code == 0


async def test_an_exit_meanwhile_is_published_first(node: ExecutorNode) -> None:
    """What ended while no executor ran is told before the executor says that it is here."""
    container = await node.start_listening("c-1")
    assert container.pid is not None
    init = identify(container.pid)
    conmon = identify(node.supervisor_pid("c-1"))
    assert init is not None
    assert conmon is not None
    await node.executor.close()
    os.kill(container.pid, signal.SIGTERM)
    await PidfdProcesses().ended(conmon)

    await node.begin()

    first, second = node.publisher.published
    assert isinstance(first, ContainerExited)
    assert first.exit.exit_code == 0
    assert second == ExecutorStarted()


async def test_an_exit_is_told_again_until_it_is_deleted(node: ExecutorNode) -> None:
    """Every restart tells the same exit, until the container is deleted."""
    await node.start("c-1", "exit=4")
    told = await node.exit_of("c-1")

    await node.restart()
    assert node.publisher.published == [told, ExecutorStarted()]
    await node.executor.announce()
    assert node.exits("c-1") == [told, told]
    await node.delete("c-1")
    await node.restart()
    assert node.publisher.published == [ExecutorStarted()]


async def test_a_dead_supervisor_degrades_its_container(node: ExecutorNode) -> None:
    """A container whose conmon was killed is degraded, goes on, and ends with unknown code."""
    container = await node.start_listening("c-1")
    assert container.pid is not None

    os.kill(node.supervisor_pid("c-1"), signal.SIGKILL)
    await eventually(lambda: node.publisher.published[1:], "it is observed")

    observed = node.publisher.published[-1]
    assert isinstance(observed, ContainerObserved)
    assert observed.degraded
    assert (await node.get("c-1")).status is ContainerStatus.RUNNING
    await node.restart()
    assert (await node.get("c-1")).degraded
    os.kill(container.pid, signal.SIGKILL)
    assert (await node.exit_of("c-1")).exit.exit_code is None


async def test_a_supervisor_that_hangs_keeps_no_container(node: ExecutorNode) -> None:
    """A container whose conmon is stopped is stopped and deleted as any other, and it with it."""
    await node.start_listening("c-1")
    conmon = identify(node.supervisor_pid("c-1"))
    assert conmon is not None
    os.kill(conmon.pid, signal.SIGSTOP)

    await node.stop("c-1")
    await node.delete("c-1")

    assert not node.host.processes.is_alive(conmon)
    assert (await node.exit_of("c-1")).exit.exit_code is None


async def test_supervisor_and_container_killed_while_nobody_looked(node: ExecutorNode) -> None:
    """A container that vanished with its supervisor is told with unknown exit code."""
    container = await node.start_listening("c-1")
    assert container.pid is not None
    init = identify(container.pid)
    assert init is not None
    conmon = identify(node.supervisor_pid("c-1"))
    assert conmon is not None
    await node.executor.close()
    for process in (conmon, init):
        os.kill(process.pid, signal.SIGKILL)
        await PidfdProcesses().ended(process)

    await node.begin()

    assert node.exits("c-1")[0].exit.exit_code is None


async def test_a_record_of_an_earlier_boot_is_an_exit(node: ExecutorNode) -> None:
    """A process that has the pid of a container of an earlier boot is not taken for it."""
    await node.start_listening("c-1")
    record = node.host.bundles.load("c-1")
    assert record is not None
    assert record.init is not None
    await node.stop("c-1")
    await node.delete("c-1")
    stranger = record.init.model_copy(update={"pid": os.getpid()})
    node.host.bundles.save(record.model_copy(update={"init": stranger, "conmon": stranger}))

    await node.restart()

    assert node.exits("c-1")[0].exit.exit_code is None


async def test_half_made_containers_are_removed(node: ExecutorNode) -> None:
    """A start that a crash cut off is undone at the next start, and told to nobody."""
    await node.start_listening("c-1")
    record = node.host.bundles.load("c-1")
    assert record is not None
    created = await _created_only(node, "c-2")
    (node.exec_root / "c" / "c-3").mkdir()
    node.host.bundles.save(
        record.model_copy(
            update={
                "container_id": "c-4",
                "phase": Phase.PREPARING,
                "init": None,
                "conmon": None,
            }
        )
    )

    await node.restart()

    assert [container.container_id for container in await node.containers()] == ["c-1"]
    assert node.host.bundles.container_ids() == ["c-1"]
    assert identify(created) is None
    assert node.publisher.published == [ExecutorStarted()]


@pytest.mark.parametrize("killed", [False, True], ids=["runs", "killed"])
async def test_a_supervisor_that_stands_in_our_cgroup_is_of_a_start_that_is_undone(
    node: ExecutorNode, killed: bool
) -> None:
    """An executor that died before it moved one, alone or with its cgroup, leaves nothing."""
    await node.start_listening("c-1")
    assert isinstance(node.host.supervisor, Conmon)
    still = dataclasses.replace(node.host.supervisor, cgroups=_Unmoved(layout=node.config.layout))
    host, node.host = node.host, dataclasses.replace(node.host, supervisor=still)
    created = identify(await _created_only(node, "c-2"))
    node.host = host
    conmon = identify(node.supervisor_pid("c-2"))
    assert created is not None
    assert conmon is not None
    assert "/conmon" not in Path(f"/proc/{conmon.pid}/cgroup").read_text()
    if killed:
        host.processes.send(conmon, signal.SIGKILL)
        await host.processes.ended(conmon)

    await node.restart()

    assert [container.container_id for container in await node.containers()] == ["c-1"]
    assert not host.processes.is_alive(created)
    assert not host.processes.is_alive(conmon)


async def test_a_start_is_done_only_once_its_supervisor_was_moved(node: ExecutorNode) -> None:
    """However long the kernel takes for it: the folder says until then that it is half-made."""
    gate = threading.Event()
    assert isinstance(node.host.supervisor, Conmon)
    held = _Held(layout=node.config.layout, gate=gate)
    slow = dataclasses.replace(node.host.supervisor, cgroups=held)
    await node.executor.close()
    node.host = dataclasses.replace(node.host, supervisor=slow)
    node.executor = build(node.config, node.host, node.publisher)
    starting = asyncio.create_task(node.start_listening("c-1"))
    await eventually(lambda: (node.bundle("c-1") / "pid").exists(), "runc has created it")

    record = node.host.bundles.load("c-1")
    assert record is not None
    assert record.phase is Phase.PREPARING
    assert not starting.done()
    gate.set()
    await starting

    conmon = Path(f"/proc/{node.supervisor_pid('c-1')}/cgroup").read_text().splitlines()
    assert {line.rpartition(":")[2] for line in conmon} == {f"/wherry/{node.name}/conmon"}


class _Unmoved(HostCgroups):
    """Moves nothing, as one that died before."""

    def admit_supervisor(self, pid: int) -> None:
        """Do nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Held(HostCgroups):
    """Moves a supervisor when it may."""

    gate: threading.Event

    def admit_supervisor(self, pid: int) -> None:
        """Wait, then move it."""
        assert self.gate.wait(timeout=60)
        super().admit_supervisor(pid)


async def _created_only(node: ExecutorNode, container_id: str) -> int:
    """Leave a container as a crash between conmon and runc start would."""
    bundles = node.host.bundles
    record = bundles.load("c-1")
    assert record is not None
    bundles.save(
        record.model_copy(
            update={
                "container_id": container_id,
                "phase": Phase.PREPARING,
                "init": None,
                "conmon": None,
            }
        )
    )
    bundles.prepare(container_id, node.container_config())
    return (await node.host.supervisor.create(container_id)).init.pid


async def test_a_start_that_was_waiting_is_taken_up_by_its_repeat(node: ExecutorNode) -> None:
    """A container that was not ready when the executor died is waited for by the next start."""
    await node.start_listening("c-1")
    record = node.host.bundles.load("c-1")
    assert record is not None
    await node.executor.close()
    node.host.bundles.save(record.model_copy(update={"phase": Phase.STARTING}))

    await node.begin()

    assert (await node.get("c-1")).status is ContainerStatus.STARTING
    again = await node.start_listening("c-1")
    assert again.status is ContainerStatus.RUNNING
    assert record.init is not None
    assert again.pid == record.init.pid


async def test_health_is_observed_and_goes_on_after_a_restart(node: ExecutorNode) -> None:
    """A container's health is told when it changes, also by the executor after."""
    check = HealthCheck(unix_socket="p.sock", interval_s=0.05, retries=2)
    container = await node.start_listening("c-1", health=check)
    await eventually(lambda: _observed(node), "first health")
    await node.restart()

    Path(container.socket_dir, "p.sock").unlink()
    await eventually(lambda: HealthStatus.UNHEALTHY in _observed(node), "unhealthy")

    assert _observed(node)[-1] is HealthStatus.UNHEALTHY
    assert (await node.get("c-1")).health is HealthStatus.UNHEALTHY


async def test_health_by_a_command(node: ExecutorNode) -> None:
    """A check that runs a command tells why it failed, also when it never ends."""
    bad = HealthCheck(exec=("/bin/program", "exit=3"), interval_s=0.05, retries=1)
    slow = HealthCheck(exec=("/bin/program",), interval_s=0.05, timeout_s=0.3, retries=1)
    await node.start_listening("c-1", health=bad)
    await node.start_listening("c-2", health=slow)

    def messages() -> dict[str, str]:
        return {
            message.container_id: message.message
            for message in node.publisher.published
            if isinstance(message, ContainerObserved)
        }

    await eventually(lambda: len(messages()) == 2, "both are unhealthy")
    assert "exited with code 3" in messages()["c-1"]
    assert "did not end within 0.3 s" in messages()["c-2"]


def _observed(node: ExecutorNode) -> list[HealthStatus]:
    return [
        message.health
        for message in node.publisher.published
        if isinstance(message, ContainerObserved)
    ]


async def test_output_survives_rotation(node: ExecutorNode) -> None:
    """Rotating a log that is being written loses no line."""
    lines = 400
    await node.executor.close()
    node.config = type(node.config)(
        node=node.config.node,
        runtimes=Runtimes.from_env({}),
        conmon="conmon",
        log_max_bytes=12_000,  # a third of what is written: the old file and the new hold it
        log_check_interval_s=0.02,
    )
    await node.begin()

    await node.start("c-1", f"print_slow={lines}", "exit=0")
    await node.exit_of("c-1")

    assert (node.bundle("c-1") / "log.1").exists()
    assert await node.output("c-1") == [f"line {n}" for n in range(1, lines + 1)]
    assert await node.output("c-1", tail=3) == [f"line {n}" for n in range(lines - 2, lines + 1)]


async def test_long_lines_are_told_whole(node: ExecutorNode) -> None:
    """A line that conmon writes in pieces is told as one."""
    await node.start("c-1", "long=20000", "print=1", "exit=0")
    await node.exit_of("c-1")

    long, short = await node.output("c-1")

    assert len(long) == 20_000
    assert short == "line 1"


async def test_release_is_refused_while_a_container_is_left(node: ExecutorNode) -> None:
    """The node's mounts are undone only after the last container is gone."""
    await node.start_listening("c-1")

    with pytest.raises(errdefs.Conflict, match="c-1"):
        await node.executor.release_node(ReleaseNode(), delivery())

    await node.stop("c-1")
    await node.delete("c-1")
    await node.executor.release_node(ReleaseNode(), delivery())
    await node.executor.release_node(ReleaseNode(), delivery())
    assert node.mounts() == []
    assert node.cgroups() == []
    assert list(node.exec_root.iterdir()) == []
    await node.start_listening("c-2")


async def test_release_does_not_mind_open_files_of_the_data_root(node: ExecutorNode) -> None:
    """Other services keep their databases open in the data root while it is released."""
    await node.start_listening("c-1")
    await node.stop("c-1")
    await node.delete("c-1")

    with (node.data_root / "store.db").open("w") as database:
        await node.executor.release_node(ReleaseNode(), delivery())
        database.write("still here")

    assert node.mounts() == []
    assert (node.data_root / "store.db").read_text() == "still here"


async def test_folders_nested_too_deep_are_deleted(node: ExecutorNode) -> None:
    """A container can't keep itself from being deleted by what it puts in its socket folder."""
    container = await node.start_listening("c-1")
    folder = os.open(container.socket_dir, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    await node.stop("c-1")

    await node.delete("c-1")

    assert not node.bundle("c-1").exists()


async def test_unmount_takes_what_is_below_and_refuses_the_rest(node: ExecutorNode) -> None:
    """Only mounts below the data root are unmounted, deepest first; a busy one is named."""
    await node.start_listening("c-1")
    volume = node.data_root / "p" / "volume"
    volume.mkdir(parents=True)
    for path in (volume, volume / "deep"):
        path.mkdir(exist_ok=True)
        assert await _run("mount", "-t", "tmpfs", "tmpfs", str(path)) == 0
    with pytest.raises(errdefs.PermissionDenied):
        await _unmount(node, "/sys")
    with pytest.raises(errdefs.PermissionDenied):
        await _unmount(node, str(node.data_root))

    held = os.open(volume / "deep", os.O_RDONLY)
    try:
        with pytest.raises(errdefs.Conflict, match="deep is busy"):
            await _unmount(node, str(node.data_root / "p"))
    finally:
        os.close(held)
    await _unmount(node, str(node.data_root / "p"))
    await _unmount(node, str(node.data_root / "p"))

    assert not any("volume" in mount for mount in node.mounts())
    shutil.rmtree(volume)


async def _unmount(node: ExecutorNode, path: str) -> None:
    await node.executor.unmount_tree(UnmountTree(path=path), delivery())


async def _run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(*command)
    return await process.wait()
