"""The console of a node in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support import axe
from tests.support.browser import DESK, PHONE, Browser
from tests.support.node import Node

_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/ui/\?key=\S+")

_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(
  (found) => done(found.violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html)])),
  (error) => done([["critical", String(error), []]]),
);
"""

#: What reaches beyond the window, other than what is scrolled to inside the page.
_OVERFLOWING = """
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
return [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > width + 1)
  .map((e) => e.outerHTML.slice(0, 120));
"""


@contextmanager
def entered(node: Node, browser: Browser) -> Iterator[str]:
    """Let the browser in, and give where the console of the node is."""
    with node.begin_wherry("ui", "--no-open") as command:
        found = None
        while found is None:
            found = _ADDRESS.search(command.says())
        browser.open(found[0])
        yield found[1]
        browser.open("about:blank")
        assert command.interrupt() == 0


@contextmanager
def pages_of(node: Node, browser: Browser) -> Iterator[ConsolePages]:
    """Give the console of a node on a wide screen."""
    browser.size(*DESK)
    browser.run_scripts(wished=True)
    with entered(node, browser) as origin:
        yield ConsolePages(browser=browser, origin=origin, node=node)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePages:
    """What a person does with the console, and what is to be seen."""

    browser: Browser
    origin: str
    node: Node

    def open(self, path: str) -> None:
        """Go to a page."""
        self.browser.open(f"{self.origin}{path}")

    def open_live(self, path: str) -> None:
        """Go to a page, and wait until it is live."""
        self.open(path)
        self.browser.wait_for_text("live", "#live")

    def mark(self) -> None:
        """Leave something on the page that only a new page is without."""
        self.browser.script("window.isMarked = true")

    @property
    def is_marked(self) -> bool:
        """Tell whether it is still the page that was marked."""
        return bool(self.browser.script("return window.isMarked === true"))

    def findings(self) -> list[Any]:
        """Return what axe finds serious or worse."""
        # Not as an element of the page: its policy allows no script but its own.
        self.browser.cdp("Runtime.evaluate", expression=axe.source())
        found = self.browser.driver.execute_async_script(_AXE)
        return [one for one in found if one[0] in {"serious", "critical"}]

    def flaws(self, path: str) -> list[Any]:
        """Return what is serious on a page in either theme or width, and what overflows."""
        found: list[Any] = []
        for theme in ("light", "dark"):
            self.browser.prefer(theme)
            for width, height in (DESK, PHONE):
                self.browser.size(width, height, is_phone=(width, height) == PHONE)
                self.open(path)
                flaws = [*self.findings(), *self.browser.script(_OVERFLOWING)]
                found += [(path, theme, width, flaw) for flaw in flaws]
        self.browser.size(*DESK)
        self.browser.prefer("light")
        return found
