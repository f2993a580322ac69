"""Pages of a node with 500 plugins and 100 events a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import pytest

from services.gateway.domain import plugin_view
from services.gateway.domain.plugin_view import STATES
from tests.support.browser import DESK, Browser
from tests.support.console_crowd import Crowd, living_crowd
from tests.support.node import eventually

_COUNT: Final = 500
_PER_SECOND: Final = 100
_WATCHED_S: Final = 8.0
#: The script's own: times are told anew every five seconds.
_MORE: Final = 6
#: Of each second; an update has the goal of 50 on a quiet machine.
_BUSY_MS: Final = 200
#: How often the page changes: what is changed at once counts once.
_COUNT_CHANGES: Final = """
window.changes = 0;
new MutationObserver(() => { window.changes += 1; }).observe(
  document.getElementById("main"), {subtree: true, childList: true, attributes: true});
"""
_CHANGES: Final = "return window.changes"
_SHOWN: Final = """
return [...document.querySelectorAll("#tiles li")].map(
  (tile) => [tile.id, tile.firstElementChild.className, tile.firstElementChild.ariaLabel]);
"""
_ROWS: Final = "return [...document.querySelectorAll(arguments[0])].map((row) => row.id)"


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    """Serve such a node."""
    with living_crowd(_COUNT, _PER_SECOND) as crowd:
        yield crowd


@pytest.fixture
def browser(crowd: Crowd, chromium: Browser) -> Iterator[Browser]:
    """Give a browser to a test, during which plugins change until it stops them."""
    chromium.size(*DESK)
    chromium.prefer("light")
    chromium.complaints()
    crowd.live(wished=True)
    # Time that the thread was given, which is the same beside others' work.
    chromium.cdp("Performance.enable", timeDomain="threadTicks")
    yield chromium
    chromium.cdp("Performance.disable")
    chromium.open("about:blank")
    assert chromium.complaints() == []


def _busy_ms(browser: Browser) -> float:
    metrics = browser.cdp("Performance.getMetrics")["metrics"]
    return 1000 * next(float(m["value"]) for m in metrics if m["name"] == "TaskDuration")


def _open(browser: Browser, crowd: Crowd, path: str) -> None:
    browser.open(f"{crowd.origin}{path}")
    browser.wait_for_text("live", "#live")


@pytest.mark.parametrize("path", ["/ui/", "/ui/plugins"])
def test_does_not_stutter(browser: Browser, crowd: Crowd, path: str) -> None:
    """However much happens, a page changes about once a second, and is idle most of the time."""
    _open(browser, crowd, path)
    browser.script(_COUNT_CHANGES)
    begun_s, busy_ms, told = time.monotonic(), _busy_ms(browser), crowd.told
    eventually(
        lambda: time.monotonic() - begun_s > _WATCHED_S and browser.script(_CHANGES) > 2,
        "it was watched for a while",
    )
    changes, watched_s = browser.script(_CHANGES), time.monotonic() - begun_s
    assert crowd.told - told > _PER_SECOND
    # What is told together may come in two pieces.
    assert changes <= 2 * watched_s + _MORE
    assert (_busy_ms(browser) - busy_ms) / watched_s < _BUSY_MS


def test_map_is_true(browser: Browser, crowd: Crowd) -> None:
    """After hundreds of changes the map and the list of trouble are as the plugins, in order."""
    _open(browser, crowd, "/ui/")
    told = crowd.told
    eventually(lambda: crowd.told > told + 3 * _PER_SECOND, "much has changed")
    crowd.live(wished=False)
    names = {i: plugin_view.state_of(p) for i, p in sorted(crowd.plugins.items())}
    tiles = [[f"t-{i}", STATES[s], f"{crowd.plugins[i].name}: {s}"] for i, s in names.items()]
    troubled = [f"p-{i}" for i, s in names.items() if STATES[s] in ("bad", "warn")]
    eventually(lambda: browser.script(_SHOWN) == tiles, "the map shows them")
    eventually(lambda: browser.script(_ROWS, "#troubled tr") == troubled, "so does the list")


def test_list_is_true(browser: Browser, crowd: Crowd) -> None:
    """A filtered list, in which plugins come and go all the time, has the right ones, in order."""
    _open(browser, crowd, "/ui/plugins?state=restarting")
    told = crowd.told
    eventually(lambda: crowd.told > told + 3 * _PER_SECOND, "much has changed")
    crowd.live(wished=False)
    shown = [
        f"p-{i}"
        for i, one in sorted(crowd.plugins.items())
        if plugin_view.state_of(one) == "restarting"
    ]
    eventually(lambda: browser.script(_ROWS, "#rows tr") == shown, "the list shows them")
