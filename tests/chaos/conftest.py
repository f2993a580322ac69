"""Nodes that tests may break."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.node import Node, eventually, running_node
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


@pytest.fixture(scope="module")
def fuzzed(contexts: Contexts) -> Iterator[Node]:
    """Run a node that reaches no registry, with a plugin and a volume; nothing is left of it."""
    unreachable = {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "WHERRY_PULL_LIMITS": "attempts=1,dial_s=2",
        "WHERRY_VOLUME_LIST_TIMEOUT_S": "0.5",
        "WHERRY_STOP_GRACE_S": "1",
    }
    with running_node(unreachable) as node, node.log_shown():
        node.create("p", contexts.tar())
        yield node
        _take_away_what_succeeded(node)
        node.shut_down()
        assert not node.leftovers()


def _take_away_what_succeeded(node: Node) -> None:
    """Remove all that some request made; what was begun comes to its end."""
    ended = ("done", "failed")
    jobs = "/wherry/v1/jobs"
    eventually(
        lambda: all(job["state"] in ended for job in node.get(jobs)["jobs"]), "jobs are over"
    )
    for service in node.get("/services", filters='{"runtime":["plugin"]}'):
        assert node.http.delete(f"/services/{service['ID']}").status_code == 200
    for secret in node.get("/wherry/v1/secrets")["secrets"]:
        assert node.http.delete(f"/wherry/v1/secrets/{secret['name']}").status_code == 204
    node.remove_all()
    node.wait_for_files(set())
