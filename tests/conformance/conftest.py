"""One real node for all tests here, each of which finds it without plugins."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.support.node import Node, running_node
from tests.support.plugin_context import Contexts


@pytest.fixture(scope="session")
def shared_node() -> Iterator[Node]:
    """Run a node for the whole session."""
    with running_node({"WHERRY_STOP_GRACE_S": "1"}) as node:
        yield node
        node.shut_down()
        assert not node.leftovers()


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    """Give the test the node, and take away the plugins that it made."""
    with shared_node.log_shown():
        yield shared_node
        shared_node.remove_all()
        shared_node.wait_for_files(set())
    assert shared_node.containers() == []


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """Compile the plugins' program once."""
    return Contexts.compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture
def docker_py(node: Node) -> Iterator[docker.DockerClient]:
    """Give the test docker-py's client of the node."""
    client = docker.DockerClient(base_url=f"unix://{node.socket}")
    yield client
    client.close()
