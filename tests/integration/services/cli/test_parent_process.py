"""The parent as the command line starts and watches it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from services.cli.adapters.parent import DetachedParent, PidfdProcess
from shared.node.config import NodeConfig
from shared.node.lock import ServiceLock

_LIMIT_S = 60.0


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeConfig:
    """Give a node whose parent ends as soon as it is started: its exec root is too long."""
    exec_root = tmp_path / ("x" * 100)
    monkeypatch.setenv("WHERRY_ROOT", str(tmp_path))
    monkeypatch.setenv("WHERRY_EXEC_ROOT", str(exec_root))
    monkeypatch.delenv("WHERRY_REDIS_URL", raising=False)
    return NodeConfig(
        name="n",
        root=tmp_path,
        exec_root=exec_root,
        socket=exec_root / "docker.sock",
        redis_url=f"unix://{exec_root}/redis.sock",
        private_redis=True,
    )


def test_last_words(node: NodeConfig) -> None:
    """What a parent that ends at once said is found in the log, without what was there before."""
    log = node.root / "log" / "wherry.log"
    log.parent.mkdir()
    log.write_text("words of yesterday\n")
    parent = DetachedParent(node, log)

    process = parent.start()

    assert process.ends_within(_LIMIT_S)
    os.waitpid(process.pid, 0)
    assert parent.last_words().startswith("wherry: WHERRY_EXEC_ROOT=")
    assert log.read_text().startswith("words of yesterday\nwherry: ")


def test_last_words_are_those_that_tell(node: NodeConfig) -> None:
    """Lines about what went as it should are left out of the last words."""
    log = node.root / "wherry.log"
    log.write_text('{"event": "request", "level": "info"}\n{"event": "e", "level": "error"}\n')

    assert DetachedParent(node, log).last_words() == '{"event": "e", "level": "error"}'


def test_large_log_is_rotated(node: NodeConfig) -> None:
    """A log of more than 10 MiB is put aside at the start."""
    log = node.root / "wherry.log"
    with log.open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)

    process = DetachedParent(node, log).start()

    assert process.ends_within(_LIMIT_S)
    os.waitpid(process.pid, 0)
    assert log.stat().st_size < 1000
    assert (node.root / "wherry.log.1").stat().st_size == 10 * 1024 * 1024 + 1


def test_find(node: NodeConfig) -> None:
    """The parent is who holds its lock now."""
    parent = DetachedParent(node, node.root / "log")
    assert parent.find() is None
    lock = ServiceLock(node.lock_path("parent"))

    lock.acquire()
    found = parent.find()
    lock.release()

    assert found is not None
    assert found.pid == os.getpid()
    assert parent.find() is None


def test_process() -> None:
    """A process is told from others as a child, does not end by itself, and does when told."""
    with subprocess.Popen(["sleep", "600"]) as child:
        process = PidfdProcess(child.pid)
        assert PidfdProcess(os.getpid()).has_child(child.pid)
        assert not process.has_child(os.getpid())
        assert not process.ends_within(0.0)

        process.terminate()

        assert process.ends_within(_LIMIT_S)
        child.wait()
    process.terminate()
    assert not PidfdProcess(os.getpid()).has_child(child.pid)
