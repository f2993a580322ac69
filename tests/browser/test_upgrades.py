"""An upgrade of many plugins, run from the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.batch_fleet import Fleet, running_fleet
from tests.support.browser import Browser
from tests.support.console import ConsolePages, pages_of
from tests.support.node import eventually
from tests.support.plugin_context import Contexts

_COUNT = 6

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def fleet(contexts: Contexts) -> Iterator[Fleet]:
    """Run a node with plugins of a first version, and a registry that has the second."""
    with running_fleet(contexts, 1) as fleet:
        fleet.install(_COUNT)
        yield fleet


@pytest.fixture
def pages(fleet: Fleet, chromium: Browser) -> Iterator[ConsolePages]:
    """Give its console."""
    with pages_of(fleet.nodes[0], chromium) as pages:
        yield pages


def test_planned_run_paused_and_rolled_back(pages: ConsolePages, fleet: Fleet) -> None:
    """A plan is shown and begun, watched, paused, resumed, and put back, without a new page."""
    browser = pages.browser
    pages.open("/ui/upgrades/new")
    assert pages.findings() == []
    browser.find("[name=to]").send_keys("v2")
    browser.click(".wish .primary")
    eventually(lambda: browser.text("#head") or browser.text("#notices"), "an answer")
    assert browser.text("#notices") == ""
    browser.wait_for_text("planned", "#head .state")
    browser.wait_for_text(f"0 of {_COUNT}", "#progress")
    assert len(browser.all("#plan tr")) == _COUNT
    assert fleet.versions() == {"v1": _COUNT}
    planned = browser.driver.current_url
    browser.click("[data-verb=begin]")
    eventually(lambda: browser.driver.current_url != planned, "it is another one")
    browser.wait_for_text("1 upgraded", "#progress")
    pages.mark()
    browser.click("[data-verb=pause]")
    browser.wait_for_text("paused", "#head .state")
    eventually(lambda: "upgrading" not in browser.text("#progress"), "what was under way is over")
    upgraded = fleet.versions()["v2"]
    assert 1 <= upgraded < _COUNT
    assert pages.findings() == []
    browser.click("[data-verb=resume]")
    browser.wait_for_text(f"{upgraded + 1} upgraded", "#progress")
    browser.click("[data-ask=rollback]")
    browser.click("[data-verb=rollback]")
    browser.wait_for_text("rollback completed", "#head .state")
    assert pages.is_marked
    assert fleet.versions() == {"v1": _COUNT}
    pages.open("/ui/upgrades")
    browser.wait_for_text("rollback completed", "#upgrades")
    assert pages.findings() == []
