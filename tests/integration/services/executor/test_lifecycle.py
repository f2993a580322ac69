"""A container's life under the real runc and conmon."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import signal
import socket
from pathlib import Path

import pytest

from shared import errdefs
from shared.contracts.executor import (
    ContainerStatus,
    ListProcesses,
    PropagatedMount,
    Resources,
    SignalContainer,
    StartContainer,
)
from tests.support.bus import delivery
from tests.support.containers import SOCKETS, ExecutorNode, eventually, refused

pytestmark = pytest.mark.root


async def test_start_answers_once_the_socket_accepts(node: ExecutorNode) -> None:
    """A started container is running, and its socket can be connected to at once."""
    container = await node.start_listening("c-1", "delay=100")

    assert container.status is ContainerStatus.RUNNING
    assert container.pid is not None
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{container.socket_dir}/p.sock")


async def test_start_waits_for_a_socket_that_is_bound_and_not_yet_listened_on(
    node: ExecutorNode,
) -> None:
    """A socket that refuses connections is not ready, though it is there."""
    container = await node.start(
        "c-1",
        f"bind={SOCKETS}/p.sock",
        "delay=200",
        f"listen={SOCKETS}/p.sock",
        ready="p.sock",
    )

    assert container.status is ContainerStatus.RUNNING


async def test_many_wait_at_once(node: ExecutorNode) -> None:
    """More containers than Linux grants inotify instances can be waited for."""
    waits = [
        asyncio.create_task(node.host.sockets.accepting(f"w-{number}", "p.sock"))
        for number in range(200)
    ]
    for number in range(200):
        (node.bundle(f"w-{number}") / "s").mkdir(parents=True)
    await asyncio.sleep(0)  # every one of them watches now
    servers = [
        await asyncio.start_unix_server(
            lambda _, writer: writer.close(), node.bundle(f"w-{number}") / "s" / "p.sock"
        )
        for number in range(200)
    ]

    await asyncio.wait_for(asyncio.gather(*waits), timeout=10)

    for server in servers:
        server.close()
        await server.wait_closed()


async def test_stop_and_delete_leave_nothing(node: ExecutorNode) -> None:
    """A stopped container tells its exit; a deleted one has no folder, cgroup or record."""
    await node.start_listening("c-1")

    stopped = await node.stop("c-1")
    await node.delete("c-1")

    assert stopped.status is ContainerStatus.EXITED
    assert stopped.exit is not None
    assert stopped.exit.exit_code == 0
    assert not node.bundle("c-1").exists()
    assert list(Path("/sys/fs/cgroup").glob(f"*/wherry/{node.name}/c-1")) == []
    await refused(node, "c-1")


async def test_stop_kills_after_the_grace(node: ExecutorNode) -> None:
    """A program that ignores SIGTERM is killed, and its exit says so."""
    await node.start("c-1", f"listen={SOCKETS}/p.sock", ready="p.sock")

    stopped = await node.stop("c-1", grace_s=0.05)

    assert stopped.exit is not None
    assert stopped.exit.exit_code == 128 + signal.SIGKILL


async def test_a_name_that_the_kernel_cuts_within_a_letter(node: ExecutorNode) -> None:
    """A container whose program has such a name is listed, taken up anew and stopped."""
    programs = node.rootfs / "bin"
    shutil.copy2(programs / "program", programs / "плагинтомов")
    config = node.container_config().model_copy(update={"args": ("/bin/плагинтомов", "term=0")})
    command = StartContainer(container_id="c-1", config=config)
    container = (await node.executor.start_container(command, delivery())).container

    await node.restart()
    listed = await node.executor.look.list_processes(
        ListProcesses(container_id="c-1", ps_args="-o pid,comm"), delivery()
    )
    stopped = await node.stop("c-1", grace_s=0.05)

    assert [row[0] for row in listed.processes] == [str(container.pid)]
    assert listed.model_dump_json()
    assert stopped.status is ContainerStatus.EXITED


async def test_stop_repeats_its_answer_and_publishes_the_exit(node: ExecutorNode) -> None:
    """A second stop finds the container exited, with the same exit as was published."""
    await node.start_listening("c-1")

    first = await node.stop("c-1")
    second = await node.stop("c-1")

    assert second == first
    assert (await node.exit_of("c-1")).exit == first.exit
    assert node.publisher.message_ids[node.publisher.published.index(node.exits("c-1")[0])] == "c-1"


async def test_stop_ends_a_paused_container(node: ExecutorNode) -> None:
    """A paused container is seen as paused, and is stopped all the same."""
    await node.start_listening("c-1")
    process = await asyncio.create_subprocess_exec(
        "runc", "--root", str(node.exec_root / "runc"), "pause", "c-1"
    )
    assert await process.wait() == 0
    paused = await node.get("c-1")

    stopped = await node.stop("c-1")

    assert paused.status is ContainerStatus.PAUSED
    assert stopped.exit is not None
    assert stopped.exit.exit_code == 0


async def test_delete_refuses_a_running_container_and_forgives_an_absent_one(
    node: ExecutorNode,
) -> None:
    """Deleting is for what has ended; there is no harm in deleting what is not there."""
    await node.start_listening("c-1")

    with pytest.raises(errdefs.Conflict, match="c-1 is running"):
        await node.delete("c-1")
    await node.delete("c-2")


async def test_signal_reaches_the_program(node: ExecutorNode) -> None:
    """A signal that the program acts on ends it as the program wants."""
    await node.start("c-1", "term=7", f"listen={SOCKETS}/p.sock", ready="p.sock")

    await node.executor.signal_container(
        SignalContainer(container_id="c-1", signal="TERM"), delivery()
    )

    assert (await node.exit_of("c-1")).exit.exit_code == 7


async def test_crash_is_published_with_its_code(node: ExecutorNode) -> None:
    """A container that ends by itself after it was ready is told with its exit code."""
    await node.start("c-1", f"listen={SOCKETS}/p.sock", "delay=1000", "exit=5", ready="p.sock")

    exited = await node.exit_of("c-1")

    assert exited.exit.exit_code == 5
    assert not exited.exit.oom_killed
    assert (await node.get("c-1")).status is ContainerStatus.EXITED


async def test_out_of_memory_is_told(node: ExecutorNode) -> None:
    """A container that the kernel kills for want of memory is told apart from others."""
    await node.start("c-1", "eat=200", resources=Resources(memory_bytes=16 << 20))

    exited = await node.exit_of("c-1")

    assert exited.exit.oom_killed
    assert exited.exit.exit_code == 128 + signal.SIGKILL


async def test_repeated_starts_make_one_container(node: ExecutorNode) -> None:
    """Starts of one id, at once and one after another, find the same process."""
    started = await asyncio.gather(*(node.start_listening("c-1", "delay=50") for _ in range(3)))
    again = await node.start_listening("c-1")

    assert {container.pid for container in (*started, again)} == {again.pid}


async def test_start_of_an_exited_container_is_a_conflict(node: ExecutorNode) -> None:
    """A start of an id that has ended says how it ended."""
    await node.start("c-1", "delay=50", "exit=3")
    await node.exit_of("c-1")

    with pytest.raises(errdefs.Conflict) as caught:
        await node.start("c-1")

    assert caught.value.detail["exit"]["exit_code"] == 3


async def test_a_mount_made_in_the_propagated_folder_is_on_the_host_and_stays(
    node: ExecutorNode,
) -> None:
    """What a container mounts in its propagated folder is seen by the host and outlives it."""
    shared = node.data_root / "propagated"
    await node.start_listening(
        "c-1",
        "mount=/mnt/volume",
        capabilities=("CAP_SYS_ADMIN",),
        propagated_mount=PropagatedMount(source=str(shared), destination="/mnt"),
    )
    assert (shared / "volume" / "inside").exists()

    await node.stop("c-1")
    await node.delete("c-1")

    assert (shared / "volume" / "inside").exists()
    assert shared.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("has_rootfs", [False, True])
async def test_a_start_that_comes_after_the_removal_makes_nothing(
    node: ExecutorNode, *, has_rootfs: bool
) -> None:
    """Where a plugin's folder was removed before, or meanwhile, none is made for its mounts."""
    plugin = node.data_root / "plugins" / "removed"
    if not has_rootfs:
        shutil.rmtree(node.rootfs)
    shared = PropagatedMount(source=str(plugin / "propagated-mount"), destination="/mnt")

    with pytest.raises(errdefs.Error):
        await node.start_listening("c-1", propagated_mount=shared)

    assert not plugin.exists()


async def test_devices_are_seen_only_when_asked_for(node: ExecutorNode) -> None:
    """A container can open the devices of its configuration and no others."""
    await node.start_listening("c-1", "open=/dev/loop-control", devices=("/dev/loop-control",))
    await node.start_listening("c-2", "open=/dev/loop-control")

    await node.says("c-1", ["opened /dev/loop-control"])
    await node.says("c-2", ["not opened /dev/loop-control"])


async def test_a_link_in_the_root_file_system_leads_nowhere(
    node: ExecutorNode, tmp_path: Path
) -> None:
    """The entries that runc mounts over are made inside the root file system, whatever is there."""
    (node.rootfs / "etc").symlink_to(tmp_path)
    (node.rootfs / "dev").mkdir()
    (node.rootfs / "dev" / "console").symlink_to(tmp_path / "console")

    await node.start_listening("c-1")

    assert list(tmp_path.iterdir()) == []
    assert (node.rootfs / "etc" / "hosts").is_file()
    assert (node.rootfs / "etc" / "mtab").readlink() == Path("/proc/mounts")


async def test_a_supervisor_is_in_no_cgroup_of_ours(node: ExecutorNode) -> None:
    """Container and supervisor lie below the node's own cgroup in every hierarchy."""
    container = await node.start_listening("c-1")

    conmon = Path(f"/proc/{node.supervisor_pid('c-1')}/cgroup").read_text().splitlines()
    init = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()

    assert {line.rpartition(":")[2] for line in conmon} == {f"/wherry/{node.name}/conmon"}
    below = f"/wherry/{node.name}/"
    assert all(line.rpartition(":")[2].startswith(below) for line in init)


async def test_a_cgroup_whose_making_was_cut_short_takes_supervisors(node: ExecutorNode) -> None:
    """One that is there without what a cpuset needs is put right."""
    name = f"wherry/{node.name}/conmon"
    for hierarchy in Path("/sys/fs/cgroup").glob("*/"):
        if (hierarchy / "cgroup.procs").exists():
            (hierarchy / name).mkdir(parents=True)

    await node.start_listening("c-1")

    conmon = Path(f"/proc/{node.supervisor_pid('c-1')}/cgroup").read_text().splitlines()
    assert {line.rpartition(":")[2] for line in conmon} == {f"/{name}"}


async def test_children_in_the_host_pid_namespace_end_with_the_container(
    node: ExecutorNode,
) -> None:
    """Where no pid namespace takes them along, a container's children end when it is deleted."""
    await node.start("c-1", "fork", "delay=50", "exit=0", host_pid=True)
    await node.exit_of("c-1")
    children = node.host.cgroups.processes("c-1")

    await node.delete("c-1")

    assert len(children) == 1
    assert not node.host.processes.is_alive(children[0])


def _heeds(node: ExecutorNode, container_id: str, number: signal.Signals) -> bool:
    """Tell whether the program in a container, which runc has become, handles a signal."""
    for process in node.host.cgroups.processes(container_id):
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        if status.startswith("Name:\tprogram\n") and caught >> (number - 1) & 1:
            return True
    return False


async def test_a_stop_interrupts_a_start(node: ExecutorNode) -> None:
    """A container that is not ready yet can be stopped, and its start then fails."""
    starting = asyncio.create_task(node.start("c-1", "term=0", ready="p.sock"))
    await eventually(node.executor.containers, "container is created")
    await eventually(lambda: _heeds(node, "c-1", signal.SIGTERM), "the program set its handler")

    await node.stop("c-1")

    with pytest.raises(errdefs.Error, match="exited with code 0"):
        await starting
    await refused(node, "c-1")


@pytest.mark.parametrize(
    "dies", ["kill -9 $$", "head -c 1 </dev/fd/$_OCI_STARTPIPE >/dev/null; kill -9 $$"]
)
async def test_a_supervisor_that_is_killed_early_is_no_fault_of_its_container(
    node: ExecutorNode, tmp_path: Path, dies: str
) -> None:
    """The start may be tried again: nothing is wrong with what was to run, and nothing is left."""
    killed = tmp_path / "conmon"
    killed.write_text(f"#!/bin/sh\n{dies}\n")
    killed.chmod(0o755)
    await node.executor.close()
    node.config = dataclasses.replace(node.config, conmon=str(killed))
    await node.begin()

    with pytest.raises(errdefs.Unavailable, match="was killed while it was created"):
        await node.start("c-1")

    assert not node.bundle("c-1").exists()
