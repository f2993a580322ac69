"""docker-py's plugins, from create to remove, and docker-py's own tests of them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, NotFound

from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.published import publish, push
from tests.support.registry import RegistryServer

#: The plugin that docker-py's tests install from Docker Hub.
_SSHFS = "vieux/sshfs"
_DEBUG = [{"name": "DEBUG", "settable": ["value"], "value": "0"}]


@pytest.fixture
def sshfs(node: Node, hub: RegistryServer, contexts: Contexts) -> str:
    """Put a stand-in for the plugin on Docker Hub's mirror; it wants the host's network."""
    context = contexts.tar(env=_DEBUG, network={"type": "host"})
    publish(node, f"{hub.authority}/{_SSHFS}", context)
    return f"{_SSHFS}:latest"


def test_a_plugins_whole_life(
    node: Node,
    hub: RegistryServer,
    docker_py: docker.DockerClient,
    contexts: Contexts,
    tmp_path: Path,
) -> None:
    """Create, push, install, configure, enable, list, disable, upgrade and remove work."""
    name = f"{hub.authority}/docker-py/life:latest"
    created = docker_py.plugins.create(name, str(contexts.write(tmp_path, env=_DEBUG)))
    assert (created.name, created.enabled) == (name, False)
    push(node, name)
    created.remove()

    plugin = docker_py.plugins.install(name, "life")
    plugin.configure({"DEBUG": "1"})
    assert plugin.settings["Env"] == ["DEBUG=1"]
    plugin.enable()
    assert [(one.name, one.enabled) for one in docker_py.plugins.list()] == [("life:latest", True)]
    plugin.disable()
    steps = [line["status"] for line in plugin.upgrade(name)]
    plugin.reload()

    assert "Already exists" in steps
    assert (plugin.enabled, plugin.attrs["PluginReference"]) == (False, name)
    plugin.remove()
    with pytest.raises(NotFound):
        docker_py.plugins.get("life")


def test_push_is_asked_for_where_no_daemon_serves_it(
    node: Node, docker_py: docker.DockerClient, contexts: Contexts
) -> None:
    """docker-py pushes with /plugins/{name}/pull, which is no route: 404, as at dockerd."""
    node.create("pushed", contexts.tar())

    with pytest.raises(NotFound, match="page not found"):
        docker_py.plugins.get("pushed").push()


def test_enable_and_disable(docker_py: docker.DockerClient, sshfs: str) -> None:
    """A plugin off Docker Hub is disabled at first; what it is already, it can't become."""
    plugin = docker_py.plugins.install(sshfs)
    assert plugin.enabled is False
    for change, is_enabled in ((plugin.enable, True), (plugin.disable, False)):
        change()
        plugin.reload()
        assert plugin.enabled is is_enabled
        with pytest.raises(APIError):
            change()


def test_inspect_and_list(docker_py: docker.DockerClient, sshfs: str) -> None:
    """Inspect and list show the plugin with its config."""
    docker_py.plugins.install(sshfs)

    (listed,) = docker_py.api.plugins()

    assert listed == docker_py.api.inspect_plugin(sshfs)
    assert listed["Name"] == sshfs
    assert listed["Config"]["Network"] == {"Type": "host"}


def test_privileges_are_a_list_of_wishes(docker_py: docker.DockerClient, sshfs: str) -> None:
    """Each privilege has a name, a value and a description."""
    (privilege,) = docker_py.api.plugin_privileges(sshfs)

    assert (privilege["Name"], privilege["Value"]) == ("network", ["host"])
    assert privilege["Description"]


def test_configure_takes_pairs_and_lists(docker_py: docker.DockerClient, sshfs: str) -> None:
    """Settings come as a mapping or as a list of assignments."""
    docker_py.plugins.install(sshfs)
    for options, expected in (({"DEBUG": "1"}, "DEBUG=1"), (["DEBUG=0"], "DEBUG=0")):
        assert docker_py.api.configure_plugin(sshfs, options)
        assert docker_py.api.inspect_plugin(sshfs)["Settings"]["Env"] == [expected]


def test_remove_needs_force_while_it_runs(docker_py: docker.DockerClient, sshfs: str) -> None:
    """An enabled plugin is removed by force only."""
    docker_py.plugins.install(sshfs).enable()

    with pytest.raises(APIError, match="is enabled"):
        docker_py.api.remove_plugin(sshfs)
    assert docker_py.api.remove_plugin(sshfs, force=True) is True


def test_install_and_upgrade_tell_of_layers(docker_py: docker.DockerClient, sshfs: str) -> None:
    """The streams of pull and upgrade say what became of the layer, and the plugin then runs."""
    granted = docker_py.api.plugin_privileges(sshfs)

    pulled = [line["status"] for line in docker_py.api.pull_plugin(sshfs, granted)]
    upgraded = [line["status"] for line in docker_py.api.upgrade_plugin(sshfs, sshfs, granted)]

    assert "Download complete" in pulled
    assert "Already exists" in upgraded
    assert docker_py.api.enable_plugin(sshfs)


@pytest.mark.skipif(
    "DOCKER_PY_REPO" not in os.environ,
    reason="DOCKER_PY_REPO names no checkout of github.com/docker/docker-py",
)
@pytest.mark.usefixtures("sshfs")
@pytest.mark.parametrize(("module", "count"), [("api_plugin_test", 11), ("api_volume_test", 9)])
def test_docker_pys_own_tests_pass(node: Node, tmp_path: Path, module: str, count: int) -> None:
    """What docker-py tests of plugins and volumes on a dockerd holds here, without a change."""
    if importlib.util.find_spec("paramiko") is None:
        # Its tests import it for ssh, which none of these use.
        (tmp_path / "paramiko.py").write_text("Channel = type(None)\n")
    options = ("--noconftest", "-p", "no:randomly", "-p", "no:cacheprovider", "-q", "-rA")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"tests/integration/{module}.py"],
        cwd=os.environ["DOCKER_PY_REPO"],
        # Its conftest pulls an image first, which these tests do not need.
        env={**node.environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert f"{count} passed" in done.stdout
