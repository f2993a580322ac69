"""Services killed in each phase of the upgrade of an enabled plugin: wholly old or wholly new."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.node import PROCESSES, Node, eventually, running_node
from tests.support.plugin_context import Contexts
from tests.support.registry import RegistryServer

_LISTENS = "listen=/run/docker/plugins/p.sock"
#: Long enough to kill in, for phases whose length is a setting.
_WHILE_S = 1.0
_NEVER_S = 600.0


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """Compile the plugins' program once."""
    return Contexts.compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def shared_node() -> Iterator[Node]:
    """Run a node for all tests here; stopping a plugin that is stubborn takes it a second."""
    with running_node({"WHERRY_STOP_GRACE_S": "1"}) as node:
        yield node


@pytest.fixture(scope="module")
def versions(shared_node: Node, contexts: Contexts) -> Iterator[dict[str, str]]:
    """Push versions of a plugin, all of which may run twice."""
    keys: dict[str, Any] = {"propagatedmount": "/data", "Wherry": {"Handover": True}}
    made = {
        # As pid 1 it does not hear SIGTERM.
        "stubborn": contexts.tar(_LISTENS, **keys),
        "new": contexts.tar("term=0", _LISTENS, **keys, description="new"),
        "slow": contexts.tar("term=0", "delay=1000", _LISTENS, **keys),
        "dies": contexts.tar(_LISTENS, "delay=300", "exit=3", **keys),
    }
    with RegistryServer() as registry:
        refs = {version: f"{registry.authority}/p:{version}" for version in made}
        for version, tar in made.items():
            shared_node.create(refs[version], tar)
            shared_node.docker("plugin", "push", refs[version])
            shared_node.remove(refs[version])
        yield refs


@pytest.fixture
def node(shared_node: Node, versions: dict[str, str]) -> Iterator[Node]:
    """Give the node with the old version enabled, and see that nothing is left."""
    with shared_node.log_shown():
        shared_node.docker("plugin", "install", "--alias", "p", versions["stubborn"])
        yield shared_node
        shared_node.remove_all()
        shared_node.wait_for_files(set())
    assert shared_node.containers() == []


def _begin(node: Node, remote: str, strategy: str, **times: float) -> str:
    body = {"name": "p", "remote": remote, "strategy": strategy, **times}
    begun = node.http.post("/wherry/v1/plugins/upgrade?detach=1", json=body)
    assert begun.status_code == 202, begun.text
    return str(begun.json()["job_id"])


def _job(node: Node, job_id: str) -> dict[str, Any]:
    return dict(node.get(f"/wherry/v1/jobs/{job_id}"))


def _wait_phase(node: Node, job_id: str, phase: str) -> None:
    eventually(lambda: _job(node, job_id)["phase"] == phase, f"the job comes to {phase}")


def _wait_over(node: Node, job_id: str, state: str) -> dict[str, Any]:
    eventually(lambda: _job(node, job_id)["state"] in ("done", "failed"), "the job is over")
    job = _job(node, job_id)
    assert job["state"] == state, job
    return job


def _check(node: Node, remote: str) -> None:
    """Check that the plugin is one version in all, enabled, running, and that nothing is over."""
    eventually(lambda: node.status("p")["state"] == "running", "the plugin runs")
    plugin = node.plugin("p")
    assert (plugin["enabled"], plugin["reference"]) == (True, remote)
    assert plugin["status"]["upgrading"] is None
    assert node.containers() == [plugin["status"]["container_id"]]
    home = node.root / "plugins" / plugin["plugin_id"]
    eventually(
        lambda: {path.name for path in home.iterdir()} == {"propagated-mount", plugin["rootfs"]},
        "one root file system is left",
    )
    assert (home / plugin["rootfs"] / "bin/program").exists()
    eventually(lambda: not any((node.root / "work").iterdir()), "nothing is staged")


def _kill(node: Node, killed: tuple[str, ...]) -> None:
    with contextlib.ExitStack() as stack:
        if "parent" in killed:
            stack.callback(node.up)
        else:
            stack.callback(node.wait_healthy)
        node.kill(*killed)


_ALL = PROCESSES


@pytest.mark.parametrize(
    ("strategy", "phase", "killed"),
    [
        ("stop-first", "stop", ("store",)),
        ("stop-first", "start", ("executor",)),
        ("stop-first", "monitor", _ALL),
        ("start-first", "start", ("store", "executor")),
        ("start-first", "monitor", ("store",)),
        ("start-first", "drain", _ALL),
        ("start-first", "commit", ("executor", "pull")),
    ],
    ids=lambda value: (
        "all" if value is _ALL else value if isinstance(value, str) else "+".join(value)
    ),
)
def test_an_upgrade_killed_in_a_phase_ends_in_the_new_version(
    node: Node, versions: dict[str, str], strategy: str, phase: str, killed: tuple[str, ...]
) -> None:
    """Whoever dies, the upgrade goes on where it was; the plugin is enabled as before."""
    remote = versions["slow" if phase == "start" else "new"]
    times = {"monitor_s": _WHILE_S if phase == "monitor" else 0.0}
    if phase == "drain":
        lease = {"owner": "user/test", "capability": "dummy", "ttl_s": 600}
        held = node.http.post("/wherry/v1/plugins/p/references", json=lease)
        assert held.status_code == 200, held.text
        times["drain_s"] = 2 * _WHILE_S
    job_id = _begin(node, remote, strategy, **times)
    _wait_phase(node, job_id, phase)

    _kill(node, killed)

    _wait_over(node, job_id, "done")
    _check(node, remote)


@pytest.mark.parametrize(
    ("strategy", "killed"), [("stop-first", ("executor",)), ("start-first", _ALL)]
)
def test_a_rollback_that_is_killed_ends_in_the_old_version(
    node: Node, versions: dict[str, str], strategy: str, killed: tuple[str, ...]
) -> None:
    """The old version runs, with its files, whoever dies while it is put back."""
    before = node.status("p")["container_id"]
    job_id = _begin(node, versions["dies"], strategy, monitor_s=_NEVER_S)
    _wait_phase(node, job_id, "rollback")

    _kill(node, killed)

    job = _wait_over(node, job_id, "failed")
    assert "the new version ended with exit code 3" in job["error"]["message"]
    _check(node, versions["stubborn"])
    if strategy == "start-first":
        assert node.status("p")["container_id"] == before


def test_an_upgrade_whose_worker_dies_leaves_the_old_version_running(
    node: Node, versions: dict[str, str]
) -> None:
    """Until the new version is decided on, the plugin is not touched; the next worker goes on."""
    before = node.status("p")["container_id"]
    job_id = _begin(node, versions["new"], "start-first", monitor_s=0)
    node.kill("pull")
    node.wait_healthy()

    _wait_over(node, job_id, "done")
    _check(node, versions["new"])
    assert node.status("p")["container_id"] != before
