"""The cgroup of the services is killed while a plugin starts, as systemd kills a unit's."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.node import Node, eventually, is_running
from tests.support.plugin_context import Contexts

#: About as long as an enable takes when nobody is killed, on a machine that does other things.
_LATEST_KILL_S = 0.3
_ROUNDS = 3
_ENABLE = b"POST /plugins/p/enable?timeout=10 HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"


class _Cgroup:
    """A cgroup in one hierarchy: what is started from within stays within, unless it is moved."""

    def __init__(self, name: str) -> None:
        unified = Path("/sys/fs/cgroup/unified")
        top = unified if unified.exists() else Path("/sys/fs/cgroup")
        self._path = top / name
        self._procs = self._path / "cgroup.procs"
        self._path.mkdir()

    def take_in(self, pids: Iterable[int]) -> None:
        """Move processes in; what they start stands in it, too."""
        for pid in pids:
            self._procs.write_text(str(pid))

    def pids(self) -> list[int]:
        """Return the processes in it."""
        return [int(pid) for pid in self._procs.read_text().split()]

    def kill(self) -> None:
        """Kill all that is in it, over and over until nothing is."""

        def is_empty() -> bool:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not self.pids()

        eventually(is_empty, f"{self._path} is empty")

    def remove(self) -> None:
        """Kill what is left and remove it."""
        self.kill()
        self._path.rmdir()


@pytest.fixture
def services(node: Node) -> Iterator[_Cgroup]:
    """Make a cgroup that is gone after the test, with all that stands in it."""
    cgroup = _Cgroup(f"{node.name}-services")
    yield cgroup
    cgroup.remove()


def test_an_enabled_plugin_outlives_the_cgroup_of_the_services(
    node: Node, contexts: Contexts, services: _Cgroup
) -> None:
    """What was acknowledged runs on, as the same process and supervised; all else is undone."""
    moments = random.Random(8)
    node.create("p", contexts.tar())
    for _ in range(_ROUNDS):
        services.take_in(node.pids().values())
        answered: list[int] = []
        enabling = threading.Thread(target=_enable, args=(node, answered))
        enabling.start()
        time.sleep(moments.uniform(0, _LATEST_KILL_S))  # the moment is what is varied
        services.kill()
        enabling.join()
        before = _running(node)
        node.revive()

        eventually(lambda: _settled(node), "the enable is whole or nothing")
        [plugin] = node.get("/plugins")
        assert plugin["Enabled"] or answered != [200]
        if plugin["Enabled"]:
            status = node.status("p")
            assert not status["degraded"]
            assert answered != [200] or status["pid"] in before
            node.disable("p")
    assert node.containers() == []


def _enable(node: Node, answered: list[int]) -> None:
    """Enable the plugin and note the status; who is killed answers nothing."""
    # Not by httpx: it leaves a socket open when it cannot connect.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(node.socket))
        asking.sendall(_ENABLE)
        with asking.makefile("rb") as answer:
            if line := answer.readline():
                answered.append(int(line.split()[1]))


def _running(node: Node) -> list[int]:
    """Return the pids of containers that run while no service does."""
    files = (node.exec_root / "c" / each / "pid" for each in node.containers())
    pids = (int(file.read_text()) for file in files if file.exists())
    return [pid for pid in pids if is_running(pid)]


def _settled(node: Node) -> bool:
    [plugin] = node.get("/wherry/v1/plugins")["plugins"]
    state = "running" if plugin["enabled"] else "stopped"
    containers = [plugin["status"]["container_id"]] if plugin["enabled"] else []
    return plugin["status"]["state"] == state and node.containers() == containers
