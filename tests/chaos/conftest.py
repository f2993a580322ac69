"""Nodes that tests may break."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.node import Node, running_node
from tests.support.plugin_context import Contexts
from tests.support.quota_volume import SOURCE

#: Starts a node of the test's own with variables given by keyword.
StartNode = Callable[..., Node]


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    """Let the test start nodes, which are destroyed with all that they left."""
    with ExitStack() as stack:

        def start(**settings: str) -> Node:
            node = stack.enter_context(running_node(settings))
            stack.enter_context(node.log_shown())
            return node

        yield start


@pytest.fixture
def node(start_node: StartNode) -> Node:
    """Start a node for this test alone."""
    return start_node()


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
