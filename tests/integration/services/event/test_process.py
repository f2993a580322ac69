"""The event service as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bus.redis_bus import RedisBus
from shared.contracts.health import CheckHealth
from tests.support.redis import RedisServer


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="wherry-") as path:
        yield Path(path)


async def test_it_runs_until_it_is_told_to_stop(redis_server: RedisServer, folder: Path) -> None:
    """Started by name, it answers over the bus; SIGTERM ends it with status 0."""
    env = {
        **os.environ,
        "WHERRY_NODE": "n1",
        "WHERRY_ROOT": str(folder / "root"),
        "WHERRY_EXEC_ROOT": str(folder / "run"),
        "WHERRY_REDIS_URL": redis_server.url,
    }
    bus = RedisBus(url=redis_server.url, node="n1", service="gateway")
    await bus.open()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.event", env=env)
    try:
        health = await bus.send(CheckHealth(), timeout_s=30, owner="event")
        assert health.pid == process.pid
        assert health.healthy
        assert (folder / "root" / "event" / "event.db").exists()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await bus.close()
