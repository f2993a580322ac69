"""ports.Browser: the person's own, where there is a screen for it."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DesktopBrowser:
    """A browser in a window; one in the terminal would take it over."""

    env: Mapping[str, str]

    def open(self, address: str) -> None:
        """Open it if there is a screen; the address was shown, so that it may as well fail."""
        if self.env.get("DISPLAY") or self.env.get("WAYLAND_DISPLAY"):
            webbrowser.open(address)
