"""What a node finds when it starts, ends as its users wanted, and says of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from deploy.demo import processes
from deploy.demo.leftovers import mounts_below
from deploy.demo.processes import Process
from tests.support.node import PROCESSES, Node, eventually
from tests.support.plugin_context import ANSWERS, Contexts

STRANGER = "ab" * 32


def _report(node: Node) -> dict[str, Any]:
    def is_there() -> bool:
        return node.get("/wherry/v1/node/recovery")["ended_at_ns"] is not None

    eventually(is_there, "the node has recovered")
    return dict(node.get("/wherry/v1/node/recovery"))


def _restart_all(node: Node) -> None:
    node.kill(*PROCESSES)
    node.up()


def _folder(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "file").write_text("left")


def test_a03_a04_a_running_plugin_is_taken_up_by_the_next_start(
    node: Node, contexts: Contexts
) -> None:
    """Killed with all its processes, the node finds its plugin running and usable; no event."""
    node.create("p", contexts.tar())
    pid = node.enable("p")["pid"]

    _restart_all(node)

    assert _report(node)["operations"] == []
    assert node.status("p")["pid"] == pid
    socket = Path(node.status("p")["socket_dir"]) / "p.sock"
    assert socket.is_socket()
    node.until_told("p:latest", "create", "enable")
    node.disable("p")


def test_a11_a12_a13_what_removals_left_is_swept_and_named(node: Node, contexts: Contexts) -> None:
    """A removal leaves nothing; what dying ones left goes at the next start, mounted or not."""
    for name in ("gone", "kept"):
        node.create(name, contexts.tar())
    gone, kept = (node.plugin(name)["plugin_id"] for name in ("gone", "kept"))
    plugins = node.root / "plugins"
    node.remove("gone")
    assert {path.name for path in plugins.iterdir()} == {kept}

    node.kill(*PROCESSES)
    _folder(plugins / STRANGER / "rootfs")
    _folder(plugins / f"{gone}-removing")
    _folder(plugins / kept / "rootfs-old")
    _folder(node.root / "work" / "a-job-of-nobody")
    _folder(node.root / "trash" / "half-deleted")
    node.up()

    report = _report(node)
    assert sorted(report["removed_folders"]) == sorted([STRANGER, f"{gone}-removing"])
    assert report["removed_root_file_systems"] == [f"{kept}/rootfs-old"]
    assert (report["removed_work"], report["removed_trash"]) == (1, 1)
    folders = [node.root / name for name in ("plugins", "work", "trash")]
    eventually(lambda: sum(len([*path.iterdir()]) for path in folders) == 1, "all of it is gone")
    node.enable("kept")
    assert '"event": "recovered"' in (node.folder / "log").read_text()


def test_a_mount_in_what_is_left_holds_up_nothing(node: Node) -> None:
    """What a dead plugin left mounted is unmounted, and its folder deleted; the node is up."""
    left = node.root / "plugins" / STRANGER / "rootfs"
    node.kill(*PROCESSES)
    _folder(left)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(left / "deep")], check=True)

    node.up()

    assert _report(node)["removed_folders"] == [STRANGER]
    eventually(lambda: not [*(node.root / "trash").iterdir()], "it is deleted")
    assert not [path for path in mounts_below(node.root) if "trash" in path]


def test_an_enable_that_was_cut_short_is_undone_and_told(node: Node, contexts: Contexts) -> None:
    """Nobody was answered: the plugin is disabled, nothing of it runs, and an event says so."""
    node.create("slow", contexts.tar("term=0", "delay=30000", ANSWERS[1]))
    asking = subprocess.Popen(
        ["docker", "plugin", "enable", "--timeout", "60", "slow"],
        env=node.environment,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: node.containers(), "it is being started")

    node.kill(*PROCESSES)
    assert asking.wait() == 1
    shutil.rmtree(node.root / "redis")  # so that the command is not delivered again
    node.up()

    (operation,) = _report(node)["operations"]
    assert (operation["plugin"], operation["kind"]) == ("slow:latest", "enable")
    assert operation["outcome"] == "undone"
    status = node.status("slow")
    assert (node.plugin("slow")["enabled"], status["state"]) == (False, "stopped")
    assert status["message"] == "its start was cut short: enable it again"
    node.until_told("slow:latest", "create", "start_failed")
    assert node.containers() == []


def test_plugins_start_with_the_host_whatever_their_policy_left(
    node: Node, contexts: Contexts
) -> None:
    """After a reboot nothing has died; the wish alone counts, for the first start."""
    node.create("runs", contexts.tar())
    node.create("once", contexts.tar(*ANSWERS, "delay=100", "exit=0"))
    node.wherry("plugin", "restart-policy", "once", "no")
    pid = node.enable("runs")["pid"]
    node.enable("once")
    eventually(lambda: node.status("once")["state"] == "exited", "it has ended")

    node.kill(*PROCESSES)
    processes.kill([Process(pid=pid, title="plugin")])
    (node.root / "store" / "boot").write_text("another start of the host\n")
    node.up()

    assert _report(node)["rebooted"]
    node.until_told("runs:latest", "create", "enable", "restart")
    eventually(lambda: node.told("once:latest")[-1] == "not_restarted", "it ran once more")
    assert node.told("once:latest")[-3:] == ["restart", "die", "not_restarted"]
    node.kill("store")
    node.wait_healthy()
    assert not _report(node)["rebooted"]
