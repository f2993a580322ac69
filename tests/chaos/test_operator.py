"""`wherry` on a real node: what stays, what goes, and two nodes side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.conftest import StartNode
from tests.support.node import PROCESSES, Node, is_running
from tests.support.plugin_context import Contexts


@pytest.fixture
def operated() -> Iterator[Node]:
    """Give a node that `wherry up` has brought up."""
    node = Node()
    try:
        node.wherry("up")
        yield node
    finally:
        node.destroy()


def test_restart_keeps_plugins_running(operated: Node, contexts: Contexts) -> None:
    """`wherry restart` replaces every service and no plugin."""
    operated.create("p", contexts.tar())
    pid = operated.enable("p")["pid"]
    before = operated.pids()

    operated.wherry("restart")

    after = operated.pids()
    assert set(after) == set(PROCESSES)
    assert not set(before.values()) & set(after.values())
    assert operated.status("p")["pid"] == pid
    assert is_running(pid)
    operated.wherry("down")
    assert not operated.leftovers()


def test_g01_g02_down_leaves_nothing_and_up_brings_all_back(
    operated: Node, contexts: Contexts
) -> None:
    """`wherry down` leaves nothing that runs; what was wished runs again after `up`."""
    operated.create("on", contexts.tar(propagatedmount="/data"))
    operated.create("off", contexts.tar())
    pid = operated.enable("on")["pid"]

    operated.wherry("down")

    assert not is_running(pid)
    assert not operated.leftovers()
    assert not operated.exec_root.exists() or list(operated.exec_root.iterdir()) == []
    operated.wherry("up")
    assert operated.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}").split("\n") == [
        "off:latest false",
        "on:latest true",
    ]
    operated.wherry("down")
    assert not operated.leftovers()


def test_down_after_everything_was_killed_leaves_nothing(
    operated: Node, contexts: Contexts
) -> None:
    """`wherry down` ends what a node left whose processes are all dead."""
    operated.create("p", contexts.tar(propagatedmount="/data"))
    pid = operated.enable("p")["pid"]
    operated.kill(*PROCESSES)
    assert is_running(pid)

    operated.wherry("down")

    assert not is_running(pid)
    assert not operated.leftovers()


def test_two_nodes_do_not_disturb_one_another(start_node: StartNode, contexts: Contexts) -> None:
    """Plugins of one name run on both; one node is killed and taken down, the other goes on."""
    one, other = start_node(), start_node()
    for node in (one, other):
        node.create("p", contexts.tar(propagatedmount="/data"))
        node.enable("p")
    pid = other.status("p")["pid"]

    one.kill(*PROCESSES)
    one.up()
    one.shut_down()

    assert not one.leftovers()
    assert other.status("p")["pid"] == pid
    assert other.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}") == "p:latest true"
    other.remove("p", force=True)
    other.until_told("p:latest", "create", "enable", "remove")
