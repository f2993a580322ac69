"""What a service tells systemd and health checks, looked at from where they are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.metrics.node import service_socket
from shared.node.probe import complaint_of
from tests.support.node import eventually
from tests.support.redis import RedisServer


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="wherry-") as path:
        yield Path(path)


def test_a_service_says_that_it_is_ready_and_lives(redis_server: RedisServer, folder: Path) -> None:
    """READY once Redis answers, WATCHDOG as long as its loop turns, and the probe agrees."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(30)
        service = subprocess.Popen(
            [sys.executable, "-m", "services.event"],
            env={
                **os.environ,
                "WHERRY_NODE": "n1",
                "WHERRY_ROOT": str(folder / "root"),
                "WHERRY_EXEC_ROOT": str(folder / "x"),
                "WHERRY_REDIS_URL": redis_server.url,
                "NOTIFY_SOCKET": str(folder / "notify"),
                "WATCHDOG_USEC": "600000",
            },
        )
        try:
            heard: set[bytes] = set()
            while heard != {b"READY=1", b"WATCHDOG=1"}:
                heard.add(manager.recv(100))
            _looked_at(folder / "x", redis_server)
            service.send_signal(signal.SIGTERM)
            assert service.wait(timeout=20) == 0
        finally:
            service.kill()
            service.wait(timeout=20)


def _looked_at(exec_root: Path, redis: RedisServer) -> None:
    path = service_socket(exec_root, "event")
    eventually(lambda: complaint_of(path) == "", "the probe finds it well")
    redis.stop()
    eventually(lambda: "Redis" in complaint_of(path), "the probe tells what is missing")
    assert complaint_of(path, needs_redis=False) == "", "it is alive without Redis, too"
    redis.start()
    eventually(lambda: complaint_of(path) == "", "the probe finds it well again")
    assert "no answer" in complaint_of(path.with_name("nobody.sock"))
