"""A headless Chromium, driven as a person would; what it complains of fails the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.node import eventually

#: Not the script in /usr/bin: that is what would be ended, and the browser not.
_PROGRAM: Final = "/usr/lib/chromium/chromium-headless-shell"
_DRIVER: Final = "/usr/bin/chromedriver"
#: Of Chromium's own, not of the page.
_FLAGS: Final = (
    "--no-sandbox",  # the tests run as root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--lang=en",
)
#: What is waited for takes many steps of several services.
_TEXT_LIMIT_S: Final = 90.0
PHONE: Final = (390, 844)
DESK: Final = (1440, 900)


@dataclass(frozen=True, slots=True)
class Browser:
    """One window."""

    driver: webdriver.Chrome

    def open(self, address: str) -> None:
        """Go there, and wait until the page is loaded."""
        self.driver.get(address)

    def size(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """Be a screen of that size."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )

    def prefer(self, theme: str) -> None:
        """Have the system prefer `light` or `dark`."""
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.cdp("Emulation.setEmulatedMedia", features=features)

    def run_scripts(self, *, wished: bool) -> None:
        """Switch the scripts of pages on or off."""
        self.cdp("Emulation.setScriptExecutionDisabled", value=not wished)

    def find(self, css: str) -> WebElement:
        """Return the first element, waiting until it is there."""
        eventually(lambda: self.all(css), f"there is {css}")
        return self.all(css)[0]

    def all(self, css: str) -> list[WebElement]:
        """Return the elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str = "main") -> str:
        """Return what is written there, nothing while it is not there or about to change."""
        with contextlib.suppress(StaleElementReferenceException):
            return "\n".join(element.text for element in self.all(css))
        return ""

    def wait_for_text(self, text: str, css: str = "main") -> None:
        """Wait until something is written there."""
        said = f"{css} says {text}; it said {self.text(css)}"
        eventually(lambda: text in self.text(css), said, limit_s=_TEXT_LIMIT_S)

    def click(self, css: str) -> None:
        """Click the first one, once it can be."""

        def clicked() -> bool:
            with contextlib.suppress(WebDriverException):
                self.find(css).click()
                return True
            return False

        eventually(clicked, f"{css} can be clicked")

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(getattr(Keys, key, key)).perform()

    def script(self, source: str, *args: Any) -> Any:
        """Run a script of the test in the page."""
        return self.driver.execute_script(source, *args)

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Ask Chromium itself."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def complaints(self) -> list[str]:
        """Return what the browser has complained of since it was last asked."""
        return [
            str(entry["message"])
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call] # of Selenium
            if entry["level"] in {"WARNING", "SEVERE"}
        ]

    def screenshot(self, path: Path) -> None:
        """Keep a picture of what is to be seen."""
        assert self.driver.save_screenshot(str(path))


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """Give a browser with a new profile, and leave nothing of it."""
    options = webdriver.ChromeOptions()
    options.binary_location = _PROGRAM
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(_DRIVER)
    try:
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield Browser(driver)
        finally:
            driver.quit()
    finally:
        service.stop()


def until_steady(look: Callable[[], object]) -> None:
    """Wait until two looks in a row see the same."""
    seen: list[object] = []

    def is_steady() -> bool:
        seen.append(look())
        return len(seen) > 1 and seen[-1] == seen[-2]

    eventually(is_steady, "it is steady")
