"""Starts that fail: what they say, and that nothing is left of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared import errdefs
from tests.support.containers import SOCKETS, ExecutorNode, eventually

pytestmark = pytest.mark.root


def assert_nothing_left(node: ExecutorNode, container_id: str) -> None:
    """Fail when something of the container is still there."""
    assert not node.bundle(container_id).exists()
    assert not (node.exec_root / "runc" / container_id).exists()
    assert list(Path("/sys/fs/cgroup").glob(f"*/wherry/{node.name}/{container_id}")) == []
    assert node.exits(container_id) == []
    assert _supervisors(node) == []


def _supervisors(node: ExecutorNode) -> list[int]:
    procs = Path("/sys/fs/cgroup").glob(f"*/wherry/{node.name}/conmon/cgroup.procs")
    return sorted({int(pid) for file in procs for pid in file.read_text().split()})


async def test_a_socket_that_never_comes(node: ExecutorNode) -> None:
    """A container that makes no socket in time is stopped, in the words that dockerd has."""
    with pytest.raises(errdefs.DeadlineExceeded) as caught:
        await node.start("c-1", "term=0", "print=2", ready="p.sock", deadline_s=0.3)

    socket = node.bundle("c-1") / "s" / "p.sock"
    assert caught.value.message.startswith(
        f"dial unix {socket}: connect: no such file or directory"
    )
    assert caught.value.message.endswith("line 1\nline 2")
    assert_nothing_left(node, "c-1")


async def test_a_socket_that_is_never_listened_on(node: ExecutorNode) -> None:
    """A container whose socket refuses connections until the deadline is stopped."""
    with pytest.raises(errdefs.DeadlineExceeded, match=r"p\.sock: connect: connection refused"):
        await node.start("c-1", "term=0", f"bind={SOCKETS}/p.sock", ready="p.sock", deadline_s=0.3)
    assert_nothing_left(node, "c-1")


async def test_a_link_in_the_socket_folder_is_not_followed(
    node: ExecutorNode, tmp_path: Path
) -> None:
    """A link to a socket of the host does not make a container ready."""
    server = await asyncio.start_unix_server(lambda _, writer: writer.close(), tmp_path / "h")
    try:
        with pytest.raises(errdefs.DeadlineExceeded, match="connection refused"):
            await node.start(
                "c-1",
                "term=0",
                f"link={SOCKETS}/p.sock:{tmp_path / 'h'}",
                ready="p.sock",
                deadline_s=0.3,
            )
    finally:
        server.close()
        await server.wait_closed()


async def test_a_program_that_ends_first(node: ExecutorNode) -> None:
    """A container that ends before it is ready fails at once, with its code and output."""
    with pytest.raises(errdefs.Error) as caught:
        await node.start("c-1", "stderr=no such disk", "exit=1", ready="p.sock", deadline_s=60)

    assert "container c-1 exited with code 1 before its socket" in caught.value.message
    assert caught.value.message.endswith("last output: no such disk")
    assert caught.value.detail["exit"]["exit_code"] == 1
    assert_nothing_left(node, "c-1")


async def test_a_program_that_is_not_there(node: ExecutorNode) -> None:
    """What runc says when it can't create a container reaches the caller, as of dockerd."""
    (node.rootfs / "bin" / "program").unlink()

    with pytest.raises(errdefs.InvalidArgument) as caught:
        await node.start("c-1", ready="p.sock")

    assert (
        "runc create failed: unable to start container process: "
        'exec: "/bin/program": stat /bin/program: no such file or directory'
    ) in str(caught.value)
    assert_nothing_left(node, "c-1")


async def test_a_capability_that_the_host_lacks(node: ExecutorNode) -> None:
    """A container that asks for what the host does not grant is told which capability that is."""
    held = int(Path("/proc/self/status").read_text().split("CapBnd:")[1].split()[0], 16)
    if held >> 24 & 1:
        pytest.skip("this host grants CAP_SYS_RESOURCE")

    with pytest.raises(errdefs.InvalidArgument, match="it asks for CAP_SYS_RESOURCE"):
        await node.start("c-1", capabilities=("CAP_SYS_RESOURCE",))
    assert_nothing_left(node, "c-1")


async def test_a_device_that_is_not_there(node: ExecutorNode) -> None:
    """A device that the host does not have is named."""
    with pytest.raises(errdefs.InvalidArgument, match="/dev/no-such"):
        await node.start("c-1", devices=("/dev/no-such",))
    assert_nothing_left(node, "c-1")


@pytest.mark.parametrize("after", ["config.json", "conmon.pid", "pid", "log"])
async def test_a_start_that_is_cancelled(node: ExecutorNode, after: str) -> None:
    """A start that is given up half-way leaves nothing, however far it was."""
    starting = asyncio.create_task(node.start("c-1", ready="p.sock"))
    await eventually(lambda: (node.bundle("c-1") / after).exists(), f"{after} is there")

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert_nothing_left(node, "c-1")


async def test_bad_names_are_refused(node: ExecutorNode) -> None:
    """Ids and socket names that would lead out of the container's folder are refused."""
    for container_id in ("../x", "", "conmon", "a/b", ".."):
        with pytest.raises(errdefs.InvalidArgument):
            await node.start(container_id)
    with pytest.raises(errdefs.InvalidArgument):
        await node.start("c-1", ready="../p.sock")
    assert not (node.exec_root / "c").exists()
