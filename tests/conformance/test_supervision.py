"""How plugins are supervised: restart policies, health checks, and what is shown of both."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.support.node import Node, eventually
from tests.support.plugin_context import ANSWERS, Contexts


def _in_state(node: Node, name: str, state: str) -> dict[str, Any]:
    eventually(lambda: node.status(name)["state"] == state, f"{name} is {state}")
    return node.status(name)


def _told_last(node: Node, name: str, *actions: str) -> None:
    count = len(actions)
    eventually(lambda: node.told(f"{name}:latest")[-count:] == [*actions], f"{actions} are told")


def _attributes(node: Node, action: str) -> dict[str, str]:
    *_, last = (event for event in node.feed() if event["action"] == action)
    return dict(last["attributes"])


def test_a_plugin_that_its_policy_leaves_is_enabled_and_started_by_enable(
    node: Node, contexts: Contexts
) -> None:
    """It has ended for good, says why and with which output, and `docker plugin enable` helps."""
    node.create("once", contexts.tar("print=2", *ANSWERS, "delay=200", "exit=3"))
    assert "restart policy  no" in node.wherry("plugin", "restart-policy", "once", "no")
    node.enable("once")

    status = _in_state(node, "once", "exited")

    assert status["message"].startswith("exited with code 3; its restart policy is no: ")
    assert status["last_exit"]["last_output"] == ["line 1", "line 2"]
    assert status["restart_at_ns"] is None
    eventually(lambda: node.containers() == [], "its container is deleted")
    assert node.docker("plugin", "ls", "--format", "{{.Enabled}}") == "true"
    assert _attributes(node, "not_restarted")["restartPolicy"] == "no"
    node.docker("plugin", "enable", "once")
    _in_state(node, "once", "exited")
    node.docker("plugin", "disable", "once")
    node.docker("plugin", "rm", "once")


def test_a_policy_declared_in_config_json_holds_until_it_is_overruled(
    node: Node, contexts: Contexts
) -> None:
    """The author's on-failure leaves a plugin that ended well; an operator's always starts it."""
    declared = {"Restart": "on-failure:3", "Requires": None}
    node.create("neat", contexts.tar(*ANSWERS, "delay=100", "exit=0", wherry=declared))
    node.enable("neat")

    message = _in_state(node, "neat", "exited")["message"]

    assert "its restart policy is on-failure:3, and this was no failure" in message
    node.wherry("plugin", "restart-policy", "neat", "always")
    _told_last(node, "neat", "restart")
    shown = node.get("/wherry/v1/plugins/neat/supervision")
    assert shown["origins"]["restart_policy"] == "operator"


def test_a_declaration_travels_through_a_registry(
    node: Node, contexts: Contexts, outside: str
) -> None:
    """What the author declared is there after push, remove and install."""
    name = f"{outside}/declared"
    node.create(name, contexts.tar(wherry={"Restart": "on-failure:7"}))
    node.docker("plugin", "push", name)
    node.docker("plugin", "rm", name)

    node.docker("plugin", "install", "--disable", "--grant-all-permissions", name)

    shown = node.get(f"/wherry/v1/plugins/{name}/supervision")
    assert shown["restart_policy"] == {"name": "on-failure", "maximum_retry_count": 7}
    assert shown["origins"]["restart_policy"] == "author"
    assert "Wherry" not in node.docker("plugin", "inspect", name)


def test_a_hung_plugin_is_unhealthy_and_restarted(node: Node, quota_volume: Path) -> None:
    """A call on its socket that is not answered makes it unhealthy; it comes back as another."""
    node.docker("plugin", "create", "qv", str(quota_volume))
    pid = node.enable("qv")["pid"]
    check = ["--interval", "0.2", "--timeout", "0.5", "--retries", "2", "--restart"]
    node.wherry("plugin", "health", "qv", *check, "CALL", "VolumeDriver.List")
    _told_last(node, "qv", "health_status: healthy")

    os.kill(pid, signal.SIGSTOP)

    _told_last(node, "qv", "health_status: unhealthy", "die", "restart", "health_status: healthy")
    status = node.status("qv")
    assert (status["state"], status["health"]) == ("running", "healthy")
    assert status["pid"] != pid
    assert status["restarts"] == 1
    printed = node.docker(
        "events", "--since", "1", "--until", f"{time.time():.9f}", "-f", "event=health_status"
    )
    assert "health_status: unhealthy" in printed


def test_a_check_by_a_program_tells_its_output(node: Node, contexts: Contexts) -> None:
    """The last error is shown while nothing is done about it, and goes with another check."""
    node.create("p", contexts.tar())
    pid = node.enable("p")["pid"]
    check = ["--interval", "0.2", "--retries", "1", "CMD", "/bin/program", "stderr=sick", "exit=4"]
    node.wherry("plugin", "health", "p", *check)
    eventually(lambda: node.status("p")["health"] == "unhealthy", "it is unhealthy")

    message = node.status("p")["health_message"]
    node.wherry("plugin", "health", "p", "CONNECT", "--interval", "0.2")
    eventually(lambda: node.status("p")["health"] == "healthy", "it is healthy")

    assert message == "/bin/program stderr=sick exit=4 exited with code 4: sick"
    assert node.status("p")["health_message"] == ""
    assert node.status("p")["pid"] == pid


def test_a_plugin_that_ran_out_of_memory_says_so(node: Node, contexts: Contexts) -> None:
    """A child that the kernel kills is the event oom; a plugin that it kills is oom and die."""
    for name, does in {"child": "child_eats=200", "whole": "eat=200"}.items():
        node.create(name, contexts.tar(*ANSWERS, "delay=200", does))
        limits = {"memory_bytes": 16 << 20}
        node.http.put(f"/wherry/v1/plugins/{name}/resources", json=limits)
        node.wherry("plugin", "restart-policy", name, "no")
        node.enable(name)

    _told_last(node, "child", "oom")
    _told_last(node, "whole", "oom", "die", "not_restarted")
    assert node.status("child")["state"] == "running"
    assert node.status("child")["ran_out_of_memory"]
    assert _attributes(node, "die") | {"name": ""} == {
        "exitCode": "137",
        "oomKilled": "true",
        "name": "",
    }
    assert "killed by the kernel: it used more memory" in node.status("whole")["message"]
