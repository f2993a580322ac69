"""One real node for all tests here, each of which finds it without plugins."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.support.node import Node, running_node
from tests.support.plugin_context import Contexts
from tests.support.quota_volume import SOURCE
from tests.support.registry import RegistryServer, free_port


@pytest.fixture(scope="session")
def hub() -> Iterator[RegistryServer]:
    """Run a registry for the whole session, the node's mirror of Docker Hub."""
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="session")
def outside(hub: RegistryServer) -> str:
    """Return the hub's address as one that is not on loopback, though it leads there."""
    return hub.authority.replace("127.0.0.1", "0.0.0.0")


@pytest.fixture(scope="session")
def legacy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder in which the node looks for legacy plugins' sockets."""
    return tmp_path_factory.mktemp("v1")


@pytest.fixture(scope="session")
def shared_node(hub: RegistryServer, outside: str, legacy_folder: Path) -> Iterator[Node]:
    """Run a node for the whole session."""
    settings = {
        "WHERRY_STOP_GRACE_S": "1",
        "WHERRY_REGISTRY_MIRRORS": f"http://{hub.authority}",
        "WHERRY_INSECURE_REGISTRIES": outside,
        "WHERRY_VOLUME_LIST_TIMEOUT_S": "0.5",
        "WHERRY_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        "WHERRY_V1_PLUGIN_SOCKETS": str(legacy_folder),
    }
    with running_node(settings) as node:
        yield node
        node.shut_down()
        assert not node.leftovers()


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    """Give the test the node, and take away the volumes and plugins that it made."""
    with shared_node.log_shown():
        yield shared_node
        shared_node.remove_all()
        shared_node.wait_for_files(set())
    assert shared_node.containers() == []
    assert shared_node.volumes() == []


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """Compile the plugins' program once."""
    return Contexts.compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="session")
def quota_volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sample plugin's context once."""
    out = tmp_path_factory.mktemp("quota-volume")
    subprocess.run(["make", "--silent", "-C", SOURCE, "context", f"OUT={out}"], check=True)
    return out


@pytest.fixture
def docker_py(node: Node) -> Iterator[docker.DockerClient]:
    """Give the test docker-py's client of the node."""
    client = docker.DockerClient(base_url=f"unix://{node.socket}")
    yield client
    client.close()
