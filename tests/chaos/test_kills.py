"""Kill -9 of any process of Wherry, and of all: plugins do not notice, and the node heals."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo import processes
from deploy.demo.plugin_calls import Questioner, VolumePlugin
from deploy.demo.processes import Process
from tests.support.node import PROCESSES, Node, eventually, is_running

#: Answers that the plugin gives after the kill before the node is looked at.
_ANSWERS = 5


def _install(node: Node, context: Path) -> Path:
    """Enable the volume plugin with a volume, and return its socket."""
    node.docker("plugin", "create", "qv", str(context))
    socket = Path(node.enable("qv")["socket_dir"]) / "quota.sock"
    with VolumePlugin(socket) as plugin:
        plugin.call("Create", Name="v", Opts={"size": "1m"})
        plugin.call("Mount", Name="v", ID="test")
    return socket


@pytest.mark.parametrize(
    "killed",
    [*((name,) for name in PROCESSES), PROCESSES],
    ids=[*PROCESSES, "all"],
)
def test_g03_g06_killed_processes_come_back_and_plugins_run_on(
    node: Node, quota_volume: Path, killed: tuple[str, ...]
) -> None:
    """The plugin keeps its pid and misses no call; then all works, no event is lost."""
    socket = _install(node, quota_volume)
    pid = node.status("qv")["pid"]
    with Questioner(socket, "v") as questioner:
        assert questioner.wait_for(_ANSWERS, within_s=10)

        node.kill(*killed)
        assert questioner.wait_for(questioner.tally.answers + _ANSWERS, within_s=10)
        if "parent" in killed:
            node.up()
        node.wait_healthy()

        assert node.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}") == "qv:latest true"
        status = node.status("qv")
        assert (status["pid"], status["state"]) == (pid, "running")
        assert not status["degraded"]
        assert questioner.wait_for(questioner.tally.answers + _ANSWERS, within_s=10)
    assert questioner.tally.failures == 0, questioner.tally.last_failure
    node.docker("plugin", "disable", "qv")
    assert not is_running(pid)
    node.docker("plugin", "enable", "qv")
    node.docker("plugin", "disable", "qv")
    node.docker("plugin", "rm", "qv")
    node.until_told("qv:latest", "create", *["enable", "disable"] * 2, "remove")
    node.shut_down()
    assert not node.leftovers()


def test_a_killed_supervisor_is_shown_and_the_plugin_runs_on(
    node: Node, quota_volume: Path
) -> None:
    """Without its conmon a plugin is degraded, answers, and is taken up, stopped and removed."""
    socket = _install(node, quota_volume)
    status = node.status("qv")
    with Questioner(socket, "v") as questioner:
        conmon = node.conmon(status["container_id"])
        processes.kill([Process(pid=conmon, title="conmon")])

        eventually(lambda: node.status("qv")["degraded"], "it is shown as degraded")
        node.kill("executor", "store")
        node.wait_healthy()

        shown = node.status("qv")
        assert shown["degraded"]
        assert (shown["pid"], shown["state"]) == (status["pid"], "running")
        assert questioner.wait_for(questioner.tally.answers + _ANSWERS, within_s=10)
    assert questioner.tally.failures == 0, questioner.tally.last_failure
    node.disable("qv")
    assert not is_running(status["pid"])
    assert not node.enable("qv")["degraded"]
    node.remove("qv", force=True)
    verbs = ("disable", "enable", "remove")
    node.until_told("qv:latest", "create", "enable", "degraded", *verbs)


def test_services_killed_again_and_again_come_back(node: Node, quota_volume: Path) -> None:
    """Kills of different services one upon the other end in a healthy node with its plugin."""
    _install(node, quota_volume)
    pid = node.status("qv")["pid"]

    for names in (("store", "event"), ("redis", "gateway"), ("executor", "redis", "store")):
        node.kill(*names)
        node.wait_healthy()

    assert node.status("qv")["pid"] == pid
    node.remove("qv", force=True)
    node.until_told("qv:latest", "create", "enable", "remove")


def test_a_plugin_that_died_while_nobody_looked_is_started_again(
    node: Node, quota_volume: Path
) -> None:
    """The exit of a plugin that fell together with all of Wherry is found and told once."""
    _install(node, quota_volume)
    pid = node.status("qv")["pid"]
    node.kill(*PROCESSES)
    processes.kill([Process(pid=pid, title="plugin")])

    node.up()

    eventually(lambda: node.status("qv")["state"] == "running", "it runs again")
    assert node.status("qv")["pid"] != pid
    node.until_told("qv:latest", "create", "enable", "die", "restart")
