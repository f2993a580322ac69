"""Plugins that end unasked: started again, ever later, and always under control."""

from __future__ import annotations

import time
from typing import Any

from deploy.demo import processes
from deploy.demo.processes import Process
from tests.support.node import Node, eventually
from tests.support.plugin_context import ANSWERS, Contexts


def test_a_plugin_killed_from_outside_is_started_again(node: Node, contexts: Contexts) -> None:
    """It runs again as another process, and `docker events` tells of die and restart."""
    node.create("p", contexts.tar())
    pid = node.enable("p")["pid"]

    processes.kill([Process(pid=pid, title="plugin")])

    eventually(lambda: "restart" in node.told("p:latest"), "its restart is told")
    status = node.status("p")
    assert status["state"] == "running"
    assert status["pid"] != pid
    assert status["last_exit"]["exit_code"] == 137
    assert len(node.containers()) == 1
    until = f"{time.time():.9f}"
    printed = node.docker("events", "--since", "1", "--until", until).splitlines()
    assert [line.split()[2] for line in printed] == ["create", "enable", "die", "restart"]
    assert "exitCode=137" in printed[2]


def test_a_crash_loop_backs_off(node: Node, contexts: Contexts) -> None:
    """Restarts come further and further apart; the status says when the next one is due."""
    node.create("loop", contexts.tar(*ANSWERS, "delay=400", "exit=1"))
    node.enable("loop")

    eventually(lambda: len(_of(node, "restart")) >= 5, "it was restarted five times")

    pauses = [
        started["time_ns"] - died["time_ns"]
        for died, started in zip(_of(node, "die"), _of(node, "restart"), strict=False)
    ]
    assert pauses[4] > pauses[2] > pauses[0]
    assert pauses[4] >= 0.8e9
    eventually(lambda: node.status("loop")["state"] == "restarting", "it waits")
    status = node.status("loop")
    assert status["restarts"] >= 5
    assert status["restart_at_ns"] > status["last_exit"]["exited_at_ns"]
    assert status["message"] == "exited with code 1"


def test_disable_during_a_pause_is_immediate(node: Node, contexts: Contexts) -> None:
    """Nobody has to wait for the next start of a plugin that crashes."""
    node.create("loop", contexts.tar(*ANSWERS, "delay=400", "exit=1"))
    node.enable("loop")
    eventually(lambda: node.status("loop")["restarts"] >= 6, "its pauses are long")
    eventually(lambda: node.status("loop")["state"] == "restarting", "it waits")

    began = time.monotonic()
    node.disable("loop")

    assert time.monotonic() - began < 1
    assert node.status("loop")["state"] == "stopped"
    assert node.containers() == []
    assert node.told("loop:latest")[-1] == "disable"
    node.remove("loop")


def test_a_crash_loop_goes_on_after_a_kill_of_the_store(node: Node, contexts: Contexts) -> None:
    """How often a plugin has crashed is not forgotten with the process that counted."""
    node.create("loop", contexts.tar(*ANSWERS, "delay=400", "exit=1"))
    node.enable("loop")
    eventually(lambda: node.status("loop")["restarts"] >= 4, "it crashed some times")

    node.kill("store")
    node.wait_healthy()

    assert node.status("loop")["restarts"] >= 4
    node.remove("loop", force=True)
    assert node.containers() == []


def _of(node: Node, action: str) -> list[dict[str, Any]]:
    return [event for event in node.feed() if event["action"] == action]
