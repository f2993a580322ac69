"""An executor on real runc and conmon, in folders of its own, and the programs it runs."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.executor.bootstrap import build, build_host
from services.executor.config import ExecutorConfig
from services.executor.ports import Host
from services.executor.service.executor import Executor
from shared import errdefs
from shared.contracts.executor import (
    Container,
    ContainerConfig,
    ContainerExited,
    DeleteContainer,
    GetContainer,
    ListContainers,
    Ready,
    ReleaseNode,
    StartContainer,
    StopContainer,
    UnmountTree,
)
from shared.contracts.sealed import SealedSecret
from shared.node.config import NodeConfig
from shared.node.runtimes import Runtimes
from tests.support.bus import FakePublisher, delivery

_SOURCE = Path(__file__).parent / "programs" / "container.c"
_LIMIT_S = 60.0
#: Where the program finds its socket folder.
SOCKETS = "/run/docker/plugins"


def compile_program(folder: Path, source: Path = _SOURCE) -> Path:
    """Compile a program that containers run, without any library."""
    program = folder / source.stem
    compiler = shutil.which("musl-gcc") or "gcc"
    subprocess.run([compiler, "-static", "-Os", "-o", program, source], check=True)
    return program


async def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail the test when it does not in time."""
    deadline = time.monotonic() + _LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen: {what}")
        await asyncio.sleep(0.005)


class ExecutorNode:
    """A node with an executor that is called directly, and that can be restarted."""

    def __init__(self, program: Path, *, log_max_bytes: int = 1 << 20) -> None:
        # Short, as AF_UNIX wants it; pytest's tmp_path is longer.
        self.folder = Path(tempfile.mkdtemp(prefix="wx-", dir="/tmp"))
        self.data_root = self.folder / "d"
        self.exec_root = self.folder / "e"
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.rootfs = self.data_root / "rootfs"
        (self.rootfs / "bin").mkdir(parents=True)
        shutil.copy2(program, self.rootfs / "bin" / "program")
        node = NodeConfig(
            name=self.name,
            root=self.data_root,
            exec_root=self.exec_root,
            socket=self.exec_root / "docker.sock",
            redis_url="",
            private_redis=True,
        )
        self.config = ExecutorConfig(
            node=node,
            runtimes=Runtimes.from_env({}),
            conmon="conmon",
            log_max_bytes=log_max_bytes,
            log_check_interval_s=0.02,
        )
        self.publisher = FakePublisher()
        self.host: Host
        self.executor: Executor

    async def begin(self) -> None:
        """Start an executor: the first one, or one after a restart."""
        self.publisher = FakePublisher()
        self.host = build_host(self.config)
        self.executor = build(self.config, self.host, self.publisher)
        await self.executor.restore()
        await self.executor.announce()

    async def restart(self) -> None:
        """Replace the executor; what the old one knew is lost."""
        await self.executor.close()
        await self.begin()

    async def end(self) -> None:
        """Stop and delete what is left, and undo all that the executor did to the host."""
        await self.executor.close()
        await self.begin()
        for container in await self.containers():
            await self.stop(container.container_id, grace_s=0)
            await self.delete(container.container_id)
        left = UnmountTree(path=str(self.data_root / "propagated"))
        await self.executor.unmount_tree(left, delivery())
        await self.executor.release_node(ReleaseNode(), delivery())
        await self.executor.close()
        shutil.rmtree(self.folder)

    def container_config(self, *args: str, **more: Any) -> ContainerConfig:
        """Return what runs the program with these arguments."""
        return ContainerConfig(rootfs=str(self.rootfs), args=("/bin/program", *args), **more)

    async def start(
        self,
        container_id: str,
        *args: str,
        ready: str | None = None,
        deadline_s: float = 10.0,
        health: Any = None,
        secrets: tuple[SealedSecret, ...] = (),
        **more: Any,
    ) -> Container:
        """Start the program with these arguments; *ready* names its socket."""
        command = StartContainer(
            container_id=container_id,
            config=self.container_config(*args, **more),
            ready=None if ready is None else Ready(unix_socket=ready, deadline_s=deadline_s),
            health=health,
            secrets=secrets,
        )
        return (await self.executor.start_container(command, delivery())).container

    async def start_listening(self, container_id: str, *args: str, **more: Any) -> Container:
        """Start the program with a socket that is ready; it exits with 0 on SIGTERM."""
        listening = f"listen={SOCKETS}/p.sock"
        return await self.start(container_id, "term=0", *args, listening, ready="p.sock", **more)

    async def stop(self, container_id: str, grace_s: float = 5.0) -> Container:
        """Stop a container."""
        command = StopContainer(container_id=container_id, grace_s=grace_s)
        return (await self.executor.stop_container(command, delivery())).container

    async def delete(self, container_id: str) -> None:
        """Delete an ended container."""
        await self.executor.delete_container(DeleteContainer(container_id=container_id), delivery())

    async def get(self, container_id: str) -> Container:
        """Return a container as the executor sees it."""
        command = GetContainer(container_id=container_id)
        return (await self.executor.get_container(command, delivery())).container

    async def containers(self) -> Sequence[Container]:
        """Return all containers."""
        return (await self.executor.list_containers(ListContainers(), delivery())).containers

    async def output(self, container_id: str, tail: int = 10_000) -> list[str]:
        """Return the last lines of a container's output."""
        return [line.text for line in self.host.logs.tail(container_id, tail)]

    async def says(self, container_id: str, expected: list[str]) -> None:
        """Wait until this is all that a container wrote: its supervisor is a little behind."""

        def told() -> list[str]:
            return [line.text for line in self.host.logs.tail(container_id, 10_000)]

        await eventually(lambda: told() == expected, f"{container_id} says {expected}")

    async def exit_of(self, container_id: str) -> ContainerExited:
        """Wait for the container's exit to be published, and return it."""
        await eventually(lambda: self.exits(container_id), f"exit of {container_id}")
        return self.exits(container_id)[0]

    def exits(self, container_id: str) -> list[ContainerExited]:
        """Return the exits that were published of a container."""
        return [
            message
            for message in self.publisher.published
            if isinstance(message, ContainerExited) and message.container_id == container_id
        ]

    def bundle(self, container_id: str) -> Path:
        """Return the container's folder."""
        return self.exec_root / "c" / container_id

    def supervisor_pid(self, container_id: str) -> int:
        """Return the pid of the container's conmon."""
        return int((self.bundle(container_id) / "conmon.pid").read_text())

    def cgroups(self) -> list[Path]:
        """Return the cgroups of this node that exist."""
        return [
            *Path("/sys/fs/cgroup").glob(f"wherry/{self.name}"),
            *Path("/sys/fs/cgroup").glob(f"*/wherry/{self.name}"),
        ]

    def mounts(self) -> list[str]:
        """Return the mount points below this node's folders, in the order of the table."""
        table = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in table]
        return [point for point in points if Path(point).is_relative_to(self.folder)]


async def refused(node: ExecutorNode, container_id: str) -> errdefs.Error:
    """Return what the executor says when it is asked for a container that is not there."""
    try:
        await node.get(container_id)
    except errdefs.NotFound as error:
        return error
    raise AssertionError(f"{container_id} is there")
