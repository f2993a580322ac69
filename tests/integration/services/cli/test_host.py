"""What this host has of a node, with real files and locks."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from services.cli.adapters.host import LocalHost
from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.lock import ServiceLock


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeConfig:
    """Give a node's settings; sockets are bound by relative paths, for tmp_path is long."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    return NodeConfig(
        name="n",
        root=tmp_path / "root",
        exec_root=tmp_path / "x",
        socket=tmp_path / "x" / "docker.sock",
        redis_url=f"unix://{tmp_path}/x/redis.sock",
        private_redis=True,
    )


def _bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def _locked(node: NodeConfig, name: str) -> ServiceLock:
    lock = ServiceLock(node.lock_path(name))
    lock.acquire()
    return lock


def test_clean_leaves_nothing(node: NodeConfig) -> None:
    """All that a node left in its exec root goes, and the exec root with it."""
    for name in ("parent", "store", "redis"):
        _locked(node, name).release()
    _bind("x/docker.sock")
    _bind("x/redis.sock")
    (node.exec_root / "c").mkdir()
    (node.exec_root / "runc").mkdir()

    assert LocalHost(node=node, env={}).clean() == []
    assert not node.exec_root.exists()
    assert LocalHost(node=node, env={}).clean() == []


def test_clean_spares_what_is_not_ours(node: NodeConfig) -> None:
    """Files of others, folders that are not empty and a file named as a socket stay."""
    kept = [node.exec_root / "c" / "container", node.exec_root / "mine", node.socket]
    kept[0].mkdir(parents=True)
    kept[1].touch()
    kept[2].touch()
    _locked(node, "store").release()

    left = LocalHost(node=node, env={}).clean()

    assert left == [str(node.exec_root / name) for name in ("c", "docker.sock", "mine")]
    assert all(path.exists() for path in kept)


def test_clean_takes_nothing_from_a_node_that_runs(node: NodeConfig) -> None:
    """Where a parent runs nothing is removed."""
    lock = _locked(node, "parent")
    _bind("x/docker.sock")

    with pytest.raises(errdefs.Conflict):
        LocalHost(node=node, env={}).clean()

    assert node.socket.exists()
    lock.release()


def test_running(node: NodeConfig) -> None:
    """Processes that hold locks are found, those that held one are not."""
    lock = _locked(node, "store")
    _locked(node, "event").release()

    (found,) = LocalHost(node=node, env={}).running()

    assert (found.service, found.pid, found.healthy) == ("store", os.getpid(), None)
    lock.release()


@pytest.mark.parametrize("name", ["c", "runc"])
def test_traces(node: NodeConfig, name: str) -> None:
    """The executor's folders tell that it was not shut down."""
    host = LocalHost(node=node, env={})
    assert not host.has_traces()

    (node.exec_root / name).mkdir()

    assert host.has_traces()


@pytest.mark.root
def test_missing_programs(
    node: NodeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is named with the packages to install, also when it was chosen by name."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "my-runc"
    program.touch(mode=0o755)

    with pytest.raises(errdefs.Unavailable) as raised:
        LocalHost(node=node, env={"WHERRY_RUNC": "my-runc", "WHERRY_CONMON": "my-conmon"}).check()

    assert raised.value.message == (
        "not found on PATH: redis-server, my-conmon; on Debian and Ubuntu: "
        "apt-get install redis-server conmon"
    )


@pytest.mark.root
def test_given_redis_needs_no_program(
    node: NodeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a Redis given, redis-server need not be installed."""
    for name in ("runc", "conmon"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    given = NodeConfig.from_env({"WHERRY_NODE": "n", "WHERRY_REDIS_URL": "redis://r"})

    LocalHost(node=given, env={}).check()

    with pytest.raises(errdefs.Unavailable, match="redis-server"):
        LocalHost(node=node, env={}).check()


def test_f13_another_platform_is_refused(node: NodeConfig) -> None:
    """Where the kernel is not Linux, no node begins, in dockerd's words."""
    with pytest.raises(errdefs.Unimplemented, match="plugins are not supported on this platform"):
        LocalHost(node=node, env={}, platform="darwin").check()
