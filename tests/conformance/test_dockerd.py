"""Plugins between a real dockerd and a node, by way of a registry."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import leftovers, processes
from tests.bench.peer import Dockerd
from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.published import publish, push
from tests.support.registry import RegistryServer
from tests.support.registry_content import Content

_INSTALL = ("plugin", "install", "--grant-all-permissions")

pytestmark = pytest.mark.skipif(
    not (shutil.which("dockerd") and shutil.which("containerd")),
    reason="no dockerd: `make bench` installs docker.io, the tests alone do not",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A dockerd and the docker CLI that speaks to it."""

    socket: Path

    def docker(self, *args: str) -> str:
        """Run the CLI, which must succeed, and return what it printed."""
        argv = ["docker", "-H", f"unix://{self.socket}", *args]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what dockerd says of a plugin."""
        return dict(json.loads(self.docker("plugin", "inspect", name))[0])


@pytest.fixture(scope="module")
def running_peer() -> Iterator[Peer]:
    """Run a dockerd and leave nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="wd-", dir="/tmp"))
    (folder / "data").mkdir()
    cgroup = f"/wherry/{folder.name}"
    dockerd = Dockerd(data=folder / "data", run=folder / "run", cgroup=cgroup)
    try:
        dockerd.start()
        yield Peer(socket=dockerd.socket)
        dockerd.stop()
    finally:
        _clear(folder, cgroup)


def _clear(folder: Path, cgroup: str) -> None:
    processes.kill(leftovers.find(folder, cgroup).processes)
    for mount in sorted(leftovers.mounts_below(folder), key=len, reverse=True):
        subprocess.run(["umount", mount], check=True, timeout=10)
    for path in leftovers.find(folder, cgroup).cgroups:
        Path(path).rmdir()
    assert not leftovers.find(folder, cgroup)
    shutil.rmtree(folder)


@pytest.fixture
def peer(running_peer: Peer) -> Iterator[Peer]:
    """Give the test the dockerd, and take away the plugins that it made."""
    yield running_peer
    for name in running_peer.docker("plugin", "ls", "-q").splitlines():
        running_peer.docker("plugin", "rm", "-f", name)


def test_dockerd_runs_what_we_pushed(
    node: Node, peer: Peer, hub: RegistryServer, contexts: Contexts
) -> None:
    """A plugin that a node pushed is installed and enabled by dockerd."""
    name = f"{hub.authority}/dockerd/ours:latest"
    publish(node, name, contexts.tar(description="from a node"))

    peer.docker(*_INSTALL, name)

    found = peer.inspect(name)
    assert (found["Enabled"], found["Config"]["Description"]) == (True, "from a node")


def test_we_run_what_dockerd_pushed(
    node: Node, peer: Peer, hub: RegistryServer, contexts: Contexts, tmp_path: Path
) -> None:
    """A plugin that dockerd pushed is installed and runs, and goes on byte for byte."""
    theirs = Content(authority=hub.authority, path="dockerd/theirs")
    copy = Content(authority=hub.authority, path="dockerd/copy")
    context = contexts.write(tmp_path, description="from dockerd")
    peer.docker("plugin", "create", theirs.name, str(context))
    peer.docker("plugin", "push", theirs.name)

    node.docker(*_INSTALL, "--alias", copy.name, theirs.name)

    found = node.get(f"/plugins/{copy.name}/json")
    assert (found["Enabled"], found["Config"]["Description"]) == (True, "from dockerd")
    eventually(lambda: node.status(copy.name)["state"] == "running", "it runs")
    assert push(node, copy.name)["Digest"] == theirs.digest()
    assert copy.manifest().content == theirs.manifest().content


def test_both_upgrade_to_the_others_version(
    node: Node, peer: Peer, hub: RegistryServer, contexts: Contexts, tmp_path: Path
) -> None:
    """Either side goes from its own version of a plugin to that of the other."""
    name = f"{hub.authority}/dockerd/both"
    publish(node, f"{name}:ours", contexts.tar(description="ours"))
    context = contexts.write(tmp_path, description="theirs")
    peer.docker("plugin", "create", f"{name}:theirs", str(context))
    peer.docker("plugin", "push", f"{name}:theirs")
    for docker, own, others in (
        (node.docker, "ours", "theirs"),
        (peer.docker, "theirs", "ours"),
    ):
        options = ("--grant-all-permissions", "--skip-remote-check")
        docker(*_INSTALL, "--disable", "--alias", "both", f"{name}:{own}")
        docker("plugin", "upgrade", *options, "both", f"{name}:{others}")
        docker("plugin", "enable", "both")
        shown = docker("plugin", "inspect", "-f", "{{.Enabled}} {{.Config.Description}}", "both")
        assert shown == f"true {others}"


def test_both_show_the_same(
    node: Node, peer: Peer, hub: RegistryServer, contexts: Contexts
) -> None:
    """Of the same plugin, but for its id, `docker plugin inspect` shows the same on either side."""
    name = f"{hub.authority}/dockerd/same:latest"
    env = [{"name": "A", "value": "1", "settable": ["value"]}]
    context = contexts.tar(env=env, network={"type": "host"}, workdir="/", pidHost=True)
    publish(node, name, context)
    for docker in (node.docker, peer.docker):
        docker(*_INSTALL, "--disable", name, "A=2")

    ours, theirs = node.get(f"/plugins/{name}/json"), peer.inspect(name)

    assert ours | {"Id": ""} == theirs | {"Id": ""}
