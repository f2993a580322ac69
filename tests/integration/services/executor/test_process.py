"""The executor as a process of its own, spoken to over a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.redis_bus import RedisBus
from shared.contracts.executor import (
    Container,
    ContainerStatus,
    GetContainer,
    Ready,
    StartContainer,
    StopContainer,
)
from tests.support.containers import SOCKETS, ExecutorNode
from tests.support.redis import RedisServer

pytestmark = pytest.mark.root

_LIMIT_S = 60.0


class ExecutorProcess:
    """`python -m services.executor` for a node, and a bus to speak to it."""

    def __init__(self, node: ExecutorNode, url: str) -> None:
        self.node = node
        self.bus = RedisBus(url=url, node=node.name, service="test")
        self._env = {
            "PATH": os.environ["PATH"],
            "WHERRY_ROOT": str(node.data_root),
            "WHERRY_EXEC_ROOT": str(node.exec_root),
            "WHERRY_NODE": node.name,
            "WHERRY_REDIS_URL": url,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.executor", env=self._env
        )

    async def end(self, number: signal.Signals) -> int:
        """Signal the process and return how it ended."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        return await self._process.wait()

    async def start(self, container_id: str) -> Container:
        """Start a container that listens."""
        config = self.node.container_config("term=0", f"listen={SOCKETS}/p.sock")
        command = StartContainer(
            container_id=container_id,
            config=config,
            ready=Ready(unix_socket="p.sock", deadline_s=_LIMIT_S),
        )
        return (await self.bus.send(command, timeout_s=_LIMIT_S)).container

    async def get(self, container_id: str) -> Container:
        """Return a container as the process sees it."""
        command = GetContainer(container_id=container_id)
        return (await self.bus.send(command, timeout_s=_LIMIT_S)).container


@pytest.fixture
async def process(node: ExecutorNode, redis_server: RedisServer) -> AsyncIterator[ExecutorProcess]:
    """Give the test an executor process on a node of its own."""
    await node.executor.close()
    process = ExecutorProcess(node, redis_server.url)
    await process.bus.open()
    assert await process.bus.wait_connected(_LIMIT_S)
    await process.begin()
    yield process
    await process.end(signal.SIGKILL)
    await process.bus.close()
    # The lock is the only thing that an executor leaves: it is the node's, not its own.
    for lock in (node.exec_root / "locks").iterdir():
        lock.unlink()
    (node.exec_root / "locks").rmdir()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_containers_outlive_the_executor(
    process: ExecutorProcess, number: signal.Signals
) -> None:
    """However the executor ends, its containers go on, and the next one takes them up."""
    before = await process.start("c-1")
    assert before.pid is not None

    status = await process.end(number)
    assert Path(f"/proc/{before.pid}").exists()
    await process.begin()
    after = await process.get("c-1")

    assert status == (0 if number is signal.SIGTERM else -number)
    assert after == before
    stopped = await process.bus.send(StopContainer(container_id="c-1"), timeout_s=_LIMIT_S)
    assert stopped.container.status is ContainerStatus.EXITED


async def test_a_start_cut_off_by_a_kill_is_done_again(process: ExecutorProcess) -> None:
    """A start that dies with the executor, at any moment, can be repeated afterwards."""
    await process.start("c-0")  # the process is up
    for number, pause_s in enumerate((0.0, 0.015, 0.03, 0.06), start=1):
        cut_off = asyncio.create_task(process.start(f"c-{number}"))
        await asyncio.sleep(pause_s)
        await process.end(signal.SIGKILL)
        await process.begin()
        await asyncio.wait([cut_off])

        again = await process.start(f"c-{number}")

        assert again.status is ContainerStatus.RUNNING
        cut_off.exception()
