"""Plugins that are enabled become another version: without a failed call, or not at all."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.cli.adapters.unix_http import UnixConnection
from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.registry import RegistryServer

_NAME = "quota"
#: What the sample plugin needs.
_GRANT = [{"name": "capabilities", "value": ["CAP_SYS_ADMIN"]}]


@pytest.fixture(scope="module")
def versions(
    shared_node: Node, hub: RegistryServer, quota_volume: Path, contexts: Contexts
) -> dict[str, str]:
    """Push versions of the sample plugin: an old, a new, and two that are sick."""
    config = json.loads((quota_volume / "config.json").read_text())
    old = _context(quota_volume, config)
    config["env"][0]["value"] = "32m"
    keys = {key: config[key] for key in ("interface", "linux", "propagatedMount", "Wherry")}
    listens = "listen=/run/docker/plugins/quota.sock"
    made = {
        "old": old,
        "new": _context(quota_volume, config),
        "dies": contexts.tar("term=0", listens, "delay=400", "exit=3", **keys),
        "deaf": contexts.tar("print=1", "exit=7", **keys),
        "undeclared": contexts.tar("term=0", listens, **{**keys, "Wherry": {}}),
    }
    refs = {version: f"{hub.authority}/handover/q:{version}" for version in made}
    for version, tar in made.items():
        shared_node.create(refs[version], tar)
        shared_node.docker("plugin", "push", refs[version])
        shared_node.remove(refs[version])
    return refs


@pytest.fixture
def plugin(node: Node, versions: dict[str, str]) -> str:
    """Install and enable the old version."""
    node.docker(
        *("plugin", "install", "--grant-all-permissions", "--alias", _NAME, versions["old"])
    )
    return f"{_NAME}:latest"


def _context(folder: Path, config: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(folder / "rootfs", "rootfs")
        text = json.dumps(config).encode()
        entry = tarfile.TarInfo("config.json")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


def _call(node: Node, method: str, **arguments: Any) -> dict[str, Any]:
    """Call the plugin where its record says it is, as whoever uses plugins does."""
    folder = node.status(_NAME)["socket_dir"]
    assert folder is not None, "the plugin does not run"
    return _ask(Path(folder) / "quota.sock", method, **arguments)


def _ask(socket: Path, method: str, **arguments: Any) -> dict[str, Any]:
    # Not by httpx: it leaves a socket open when it cannot connect.
    with contextlib.closing(UnixConnection(socket, 5.0)) as connection:
        connection.request("POST", f"/VolumeDriver.{method}", body=json.dumps(arguments))
        with connection.getresponse() as response:
            answer = dict(json.loads(response.read()))
    assert answer.get("Err", "") == "", answer
    return answer


@dataclass
class _Caller:
    """Calls the plugin in a tight loop, in a thread."""

    node: Node
    calls: int = 0
    containers: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        thread = threading.Thread(target=self._loop)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _loop(self) -> None:
        while not self._is_over.is_set():
            try:
                _call(self.node, "Get", Name="v")
            except (AssertionError, OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            self.calls += 1


def _upgrade(node: Node, remote: str, strategy: str, **times: float) -> dict[str, Any]:
    """Upgrade through the API; return the job as it ended."""
    body = {"name": _NAME, "remote": remote, "privileges": _GRANT, "strategy": strategy}
    answer = node.http.post("/wherry/v1/plugins/upgrade", json={**body, **times})
    assert answer.status_code == 200, answer.text
    return dict(json.loads(answer.text.splitlines()[-1])["job"])


def test_start_first_interrupts_nobody(node: Node, plugin: str, versions: dict[str, str]) -> None:
    """Every call is answered while one version takes over from the other, volumes and all."""
    before = node.status(_NAME)
    _call(node, "Create", Name="v", Opts={"size": "1m"})
    mounted = Path(_call(node, "Mount", Name="v", ID="1")["Mountpoint"])
    home = node.root / "plugins" / node.plugin(_NAME)["plugin_id"]
    data = home / "propagated-mount" / mounted.name
    (data / "kept").write_text("kept")

    caller = _Caller(node)
    with caller.calling():
        eventually(lambda: caller.calls > 10, "the plugin is called")
        shown = node.wherry(
            *("plugin", "upgrade", "--grant-all-permissions", "--strategy", "start-first"),
            *("--monitor", "1s", _NAME, versions["new"]),
        )
        more = caller.calls + 10
        eventually(lambda: caller.calls > more, "the new version is called")

    assert not caller.failures
    for line in (
        "Starting the new version beside the old one",
        "Making the new version the one that is called",
        "Watching whether the new version lasts for 1 s",
        "Draining the old version, for 30 s at most",
        "Removing the old version",
        f"upgraded {plugin} to {versions['new']}",
    ):
        assert f"\n{line}\n" in f"\n{shown}", shown
    now = node.plugin(_NAME)
    assert now["enabled"]
    assert now["status"]["container_id"] != before["container_id"]
    assert now["status"]["upgrading"] is None
    assert node.containers() == [now["status"]["container_id"]]
    assert now["settings"]["Env"][0] == "DEFAULT_SIZE=32m"
    assert sorted(path.name for path in home.iterdir()) == ["propagated-mount", now["rootfs"]]
    # What either version mounts reaches the host, and stays.
    assert (data / "kept").read_text() == "kept"
    _call(node, "Create", Name="w", Opts={"size": "1m"})
    _call(node, "Mount", Name="w", ID="2")
    assert (home / "propagated-mount/w").is_mount()
    told = node.told(plugin)
    assert told[-2:] == ["pull", "upgrade"]
    for name, holder in (("v", "1"), ("w", "2")):
        _call(node, "Unmount", Name=name, ID=holder)
        _call(node, "Remove", Name=name)


def test_both_versions_mounts_reach_one_another(
    node: Node, plugin: str, versions: dict[str, str]
) -> None:
    """While both run, what one of them mounts is mounted for the other, and on the host."""
    old = Path(node.status(_NAME)["socket_dir"]) / "quota.sock"
    lease = {"owner": "user/test", "capability": "volumedriver", "ttl_s": 600}
    held = node.http.post(f"/wherry/v1/plugins/{_NAME}/references", json=lease)
    assert held.status_code == 200, held.text
    with node.client() as client:
        body = {"name": _NAME, "remote": versions["new"], "privileges": _GRANT}
        how = {"strategy": "start-first", "monitor_s": 0, "drain_s": 60}
        begun = client.post("/wherry/v1/plugins/upgrade?detach=1", json={**body, **how})
    job_id = begun.json()["job_id"]
    eventually(lambda: (_phase(node) or "") == "drain", "the old version is drained")
    assert len(node.containers()) == 2

    _call(node, "Create", Name="x", Opts={"size": "1m"})
    _call(node, "Mount", Name="x", ID="1")
    assert _ask(old, "Get", Name="x")["Volume"]["Status"]["mounted"] is True

    node.http.delete(f"/wherry/v1/plugins/{_NAME}/references/user/test")
    eventually(
        lambda: node.get(f"/wherry/v1/jobs/{job_id}")["state"] == "done",
        "the old version goes with the last who holds it",
    )
    _call(node, "Unmount", Name="x", ID="1")
    _call(node, "Remove", Name="x")


def test_volumes_go_on_and_move_to_the_new_version(
    node: Node, plugin: str, versions: dict[str, str]
) -> None:
    """Docker's volume routes never fail meanwhile, and the old version need not be waited for."""
    node.docker("volume", "create", "-d", _NAME, "v")
    statuses: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        with node.client() as client:
            while not is_over.is_set():
                statuses.append(client.get("/volumes/v").status_code)
                body = {"Name": "w", "Driver": _NAME}
                statuses.append(client.post("/volumes/create", json=body).status_code)
                statuses.append(client.delete("/volumes/w").status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        eventually(lambda: len(statuses) > 10, "volumes are asked for")
        job = _upgrade(node, versions["new"], "start-first", monitor_s=0.5, drain_s=600)
        more = len(statuses) + 10
        eventually(lambda: len(statuses) > more, "volumes are asked for")
    finally:
        is_over.set()
        thread.join()

    assert set(statuses) == {200, 201, 204}
    assert job["state"] == "done"
    node.docker("volume", "rm", "v")


@pytest.mark.parametrize("version", ["dies", "deaf"])
@pytest.mark.parametrize("strategy", ["start-first", "stop-first"])
def test_a_sick_version_is_rolled_back(
    node: Node, plugin: str, versions: dict[str, str], strategy: str, version: str
) -> None:
    """One that does not start, or does not last, leaves the old one; start-first, untouched."""
    before = node.plugin(_NAME)
    _call(node, "Create", Name="v")

    caller = _Caller(node)
    with caller.calling():
        job = _upgrade(node, versions[version], strategy, monitor_s=30)

    assert job["state"] == "failed"
    runs = "runs on" if strategy == "start-first" else "runs again"
    assert f"plugin {plugin} was not upgraded, its old version {runs}: " in job["error"]["message"]
    assert ("exit code 3" if version == "dies" else "exited with code 7") in job["error"]["message"]
    now = node.plugin(_NAME)
    assert {**now, "status": None} == {**before, "status": None}
    assert (now["enabled"], now["status"]["state"]) == (True, "running")
    if strategy == "start-first":
        assert now["status"]["container_id"] == before["status"]["container_id"]
    if version == "deaf" and strategy == "start-first":
        assert not caller.failures
    assert node.containers() == [now["status"]["container_id"]]
    eventually(lambda: node.told(plugin)[-1] == "rollback", "that is told")
    _call(node, "Get", Name="v")
    _call(node, "Remove", Name="v")


def test_who_forces_has_the_upgrade_rolled_back(
    node: Node, plugin: str, versions: dict[str, str]
) -> None:
    """`docker plugin disable` hears of the job; with -f it gets the old version, disabled."""
    before = node.plugin(_NAME)
    body = {"name": _NAME, "remote": versions["new"], "privileges": _GRANT, "monitor_s": 600}
    begun = node.http.post(
        "/wherry/v1/plugins/upgrade?detach=1", json={**body, "strategy": "start-first"}
    )
    job_id = begun.json()["job_id"]
    eventually(lambda: _phase(node) == "monitor", "the new version is watched")
    assert f"is being upgraded by job {job_id}" in node.docker_fails("plugin", "disable", _NAME)

    node.docker("plugin", "disable", "-f", _NAME)

    job = node.get(f"/wherry/v1/jobs/{job_id}")
    assert (job["state"], job["cancelled"]) == ("failed", True)
    now = node.plugin(_NAME)
    assert (now["enabled"], now["reference"]) == (False, before["reference"])
    assert node.containers() == []
    eventually(lambda: node.told(plugin)[-2:] == ["rollback", "disable"], "both are told")


def test_stop_first_replaces_a_plugin_that_declares_nothing(
    node: Node, versions: dict[str, str]
) -> None:
    """It is stopped for a moment, and enabled as it was; start-first is refused in words."""
    node.docker(
        *("plugin", "install", "--grant-all-permissions", "--alias", _NAME, versions["undeclared"])
    )
    body = {"name": _NAME, "remote": versions["new"], "privileges": _GRANT}

    refused = node.http.post("/wherry/v1/plugins/upgrade", json={**body, "strategy": "start-first"})
    assert refused.status_code == 400
    assert 'does not declare "Wherry": {"Handover": true}' in refused.json()["message"]
    refused = node.http.post("/wherry/v1/plugins/upgrade", json=body)
    assert refused.status_code == 409
    assert "must be disabled before upgrading" in refused.json()["message"]

    job = _upgrade(node, versions["new"], "stop-first", monitor_s=0.2)
    assert (job["state"], job["strategy"], job["phase"]) == ("done", "stop-first", "commit")
    assert node.plugin(_NAME)["enabled"]
    _call(node, "List")


def _phase(node: Node) -> str | None:
    upgrading = node.status(_NAME)["upgrading"]
    return None if upgrading is None else str(upgrading["phase"])
