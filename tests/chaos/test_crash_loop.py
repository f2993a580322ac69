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

    pauses_ns: dict[int, int] = {}  # by the number of restarts, told from the record

    def waits_a_sixth_time() -> bool:
        status = node.status("loop")
        if status["state"] == "restarting":
            exited_at_ns = status["last_exit"]["exited_at_ns"]
            pauses_ns[status["restarts"]] = status["restart_at_ns"] - exited_at_ns
            assert status["message"] == "exited with code 1"
        return any(restarts >= 6 for restarts in pauses_ns)

    eventually(waits_a_sixth_time, "its pauses were seen to grow")
    in_order = [pauses_ns[restarts] for restarts in sorted(pauses_ns)]
    assert in_order == sorted(set(in_order))
    assert in_order[-1] >= 1.6e9
    eventually(lambda: len(_of(node, "restart")) >= 6, "it is started again after each")


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
    eventually(lambda: node.told("loop:latest")[-1] == "disable", "its end is told")
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
