"""What holds a plugin in: system calls, and limits that are set through /wherry/v1."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from tests.support.node import Node
from tests.support.plugin_context import ANSWERS, Contexts


def _limit(node: Node, name: str, **limits: Any) -> int:
    return node.http.put(f"/wherry/v1/plugins/{name}/resources", json=limits).status_code


def _cgroup_says(node: Node, name: str, *files: str) -> str:
    """Return the first number in the one of *files* that the plugin's cgroup has."""
    cgroup = f"wherry/{node.name}/{node.status(name)['container_id']}"
    root = Path("/sys/fs/cgroup")
    (found,) = {
        path.resolve()
        for file in files
        for path in (*root.glob(f"*/{cgroup}/{file}"), *root.glob(f"{cgroup}/{file}"))
    }
    return found.read_text().split()[0]


def test_a_plugin_has_dockers_seccomp_profile(node: Node, contexts: Contexts) -> None:
    """What Docker's profile leaves out fails with EPERM, and the plugin answers all the same."""
    node.create("confined", contexts.tar("call=add_key", *ANSWERS))

    node.docker("plugin", "enable", "confined")

    lines = node.get("/wherry/v1/plugins/confined/logs")["lines"]
    assert [line["text"] for line in lines] == [f"add_key {errno.EPERM}"]


def test_limits_are_set_on_the_plugins_cgroup(node: Node, contexts: Contexts) -> None:
    """Limits of a stopped plugin are kept, refused while it runs, and hold at every start."""
    node.create("limited", contexts.tar())
    limits = {"memory_bytes": 64 << 20, "cpus": 0.5, "pids": 50}

    assert _limit(node, "limited", **limits) == 200
    node.docker("plugin", "enable", "limited")
    assert _limit(node, "limited", pids=1) == 409

    assert node.plugin("limited")["resources"] == limits
    memory = _cgroup_says(node, "limited", "memory.limit_in_bytes", "memory.max")
    assert memory == str(64 << 20)
    assert _cgroup_says(node, "limited", "cpu.cfs_quota_us", "cpu.max") == "50000"
    assert _cgroup_says(node, "limited", "pids.max") == "50"


def test_a_plugin_that_outgrows_its_limit_is_killed_and_told(
    node: Node, contexts: Contexts
) -> None:
    """The kernel ends it, and whoever enables it hears why."""
    node.create("greedy", contexts.tar("eat=500", *ANSWERS))
    _limit(node, "greedy", memory_bytes=16 << 20)

    told = node.docker_fails("plugin", "enable", "greedy")

    assert "ran out of memory and was killed" in told
