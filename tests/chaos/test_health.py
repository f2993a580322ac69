"""Health checks and the restarts that follow them, while services die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from deploy.demo import processes
from deploy.demo.processes import Process
from tests.support.node import Node, eventually


def _told_last(node: Node, name: str, *actions: str) -> None:
    count = len(actions)
    eventually(lambda: node.told(f"{name}:latest")[-count:] == [*actions], f"{actions} are told")


def test_a_store_killed_beside_an_unhealthy_plugin_restarts_it_later(
    node: Node, quota_volume: Path
) -> None:
    """Whoever dies while a sick plugin is stopped: it is started again."""
    node.docker("plugin", "create", "qv", str(quota_volume))
    pid = node.enable("qv")["pid"]
    check = ["--interval", "0.1", "--timeout", "0.3", "--retries", "1", "--restart"]
    node.wherry("plugin", "health", "qv", *check, "CALL", "VolumeDriver.List")
    _told_last(node, "qv", "health_status: healthy")
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: "health_status: unhealthy" in node.told("qv:latest"), "it is unhealthy")

    node.kill("store")
    node.wait_healthy()

    _told_last(node, "qv", "restart", "health_status: healthy")
    processes.kill([Process(pid=node.status("qv")["pid"], title="plugin")])
    _told_last(node, "qv", "die", "restart", "health_status: healthy")
