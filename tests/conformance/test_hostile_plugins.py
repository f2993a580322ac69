"""Plugins that were given one privilege each, and try what it does not allow."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.support.node import Node
from tests.support.plugin_context import ANSWERS, Contexts


def _says(node: Node, contexts: Contexts, *tries: str, **privileges: Any) -> list[str]:
    """Run a plugin that tries, and return what became of it."""
    node.create("hostile", contexts.tar(*tries, *ANSWERS, **privileges))
    node.enable("hostile")
    lines = node.get("/wherry/v1/plugins/hostile/logs")["lines"]
    return [line["text"] for line in lines]


def _ways_in(node: Node) -> list[str]:
    """Return tries to connect to what is the node's own."""
    sockets = (node.socket, node.exec_root / "redis.sock", node.exec_root / "executor.sock")
    return [f"dial={path}" for path in sockets]


def _failed(tries: list[str]) -> list[str]:
    return [f"not dialed {one.partition('=')[2]}" for one in tries]


def test_a_plugin_without_privileges_reaches_nothing(node: Node, contexts: Contexts) -> None:
    """No socket, no file, no process of the node's, no disk of the host."""
    ways, store = _ways_in(node), node.pid("store")
    key = node.root / "keys" / "secrets.key"

    said = _says(node, contexts, *ways, f"open={key}", f"pid={store}", "disk=7:0")

    assert said == [
        *_failed(ways),
        f"not opened {key}",
        f"pid {store}: {errno.ESRCH} {errno.ENOENT}",
        f"disk {errno.EPERM}",
    ]


def test_the_host_s_network_is_not_its_files(node: Node, contexts: Contexts) -> None:
    """A plugin in the host's network finds none of the node's unix sockets, nor other rights."""
    ways = _ways_in(node)

    said = _says(node, contexts, *ways, "disk=7:0", "call=add_key", network={"type": "host"})

    assert said == [*_failed(ways), f"disk {errno.EPERM}", f"add_key {errno.EPERM}"]


def test_the_host_s_processes_are_seen_and_not_looked_into(node: Node, contexts: Contexts) -> None:
    """In the host's pid namespace the store is there, and its files are out of reach."""
    store = node.pid("store")

    said = _says(node, contexts, f"pid={store}", *_ways_in(node), pidhost=True)

    assert said == [f"pid {store}: 0 {errno.EACCES}", *_failed(_ways_in(node))]


def test_the_host_s_ipc_is_nothing_else(node: Node, contexts: Contexts) -> None:
    """Shared memory of the host brings no process, no socket, no disk."""
    ways, store = _ways_in(node), node.pid("store")

    said = _says(node, contexts, *ways, f"pid={store}", "disk=7:0", ipchost=True)

    assert said == [
        *_failed(ways),
        f"pid {store}: {errno.ESRCH} {errno.ENOENT}",
        f"disk {errno.EPERM}",
    ]


def test_one_device_is_not_another(node: Node, contexts: Contexts) -> None:
    """Who was granted one device can open that, and make no node of another."""
    device = [{"name": "d", "path": "/dev/loop-control"}]

    said = _says(node, contexts, "open=/dev/loop-control", "disk=7:0", linux={"devices": device})

    assert said == ["opened /dev/loop-control", f"disk {errno.EPERM}"]


@pytest.mark.parametrize("capability", ["CAP_NET_ADMIN", "CAP_SYS_TIME"])
def test_a_capability_is_not_another(node: Node, contexts: Contexts, capability: str) -> None:
    """One that is for something else brings neither mounts nor keyrings nor disks."""
    said = _says(
        node,
        contexts,
        "call=add_key",
        "call=bpf",
        "call=unshare",
        "disk=7:0",
        linux={"capabilities": [capability]},
    )

    assert said == [f"{name} {errno.EPERM}" for name in ("add_key", "bpf", "unshare", "disk")]


def test_a_mount_of_a_folder_is_not_its_neighbour(
    node: Node, contexts: Contexts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A granted folder is there; the way up from it leads nowhere in the host."""
    folder = tmp_path_factory.mktemp("granted")
    (folder / "mine").touch()
    mount = {"source": str(folder), "destination": "/mnt", "type": "bind", "options": ["rbind"]}

    said = _says(node, contexts, "open=/mnt/mine", f"open=/mnt/..{node.root}/keys", mounts=[mount])

    assert said == ["opened /mnt/mine", f"not opened /mnt/..{node.root}/keys"]
