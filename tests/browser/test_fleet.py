"""What the console of one node shows of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.batch_fleet import Fleet, running_fleet
from tests.support.browser import Browser
from tests.support.console import ConsolePages, pages_of
from tests.support.node import eventually
from tests.support.plugin_context import Contexts

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def fleet(contexts: Contexts) -> Iterator[Fleet]:
    """Run two nodes with a plugin each, which can be upgraded."""
    with running_fleet(contexts, 2) as fleet:
        fleet.install(2)
        yield fleet


@pytest.fixture
def pages(fleet: Fleet, chromium: Browser) -> Iterator[ConsolePages]:
    """Give the console of the first."""
    with pages_of(fleet.nodes[0], chromium) as pages:
        yield pages


def test_nodes_of_the_fleet(pages: ConsolePages, fleet: Fleet) -> None:
    """The first page names the nodes, and which of them is its own."""
    pages.open_live("/ui/")
    for node in fleet.nodes:
        pages.browser.wait_for_text(node.name, "#nodes")
    assert "this one" in pages.browser.text("#nodes")
    assert pages.flaws("/ui/") == []


def test_accessible(pages: ConsolePages, fleet: Fleet) -> None:
    """The list of upgrades, and the plan of one, are so in both themes and widths."""
    plan = fleet.begin(dry_run=True)
    eventually(lambda: fleet.is_settled(plan), "it is planned")
    for path in ("/ui/upgrades", f"/ui/upgrades/{plan}"):
        assert pages.flaws(path) == []
