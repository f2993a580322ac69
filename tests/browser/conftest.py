"""A node with plugins of all kinds, its console, and a browser that was let in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import DESK, Browser, browsing
from tests.support.console import ConsolePages, entered
from tests.support.node import Node, running_node
from tests.support.plugin_context import Contexts


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """Run a node for all tests here."""
    with running_node({"WHERRY_STOP_GRACE_S": "1"}) as node:
        yield node


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """Compile the program of the tests' plugins once."""
    return Contexts.compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Give one browser to all tests here."""
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="session")
def origin(node: Node, chromium: Browser) -> Iterator[str]:
    """Let the browser in, and return where the console is."""
    with entered(node, chromium) as origin:
        yield origin


@pytest.fixture
def pages(node: Node, chromium: Browser, origin: str) -> Iterator[ConsolePages]:
    """Give the console to a test, which finds no plugins; the browser must have nothing to say."""
    chromium.size(*DESK)
    chromium.prefer("light")
    chromium.run_scripts(wished=True)
    chromium.complaints()
    with node.log_shown():
        yield ConsolePages(browser=chromium, origin=origin, node=node)
        node.remove_all()
    # Of answers that are errors and of a gateway that is away the tests speak themselves.
    said = [text for text in chromium.complaints() if "Failed to load resource" not in text]
    assert said == []
