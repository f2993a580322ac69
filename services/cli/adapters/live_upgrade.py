"""ports.UpgradeDisplay on a terminal: a table of what moves, and the totals below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.cli.domain.upgrade import LIVE_HEADINGS, Upgrade, UpgradedPlugin

#: Lines that are left for the totals and the prompt.
_MARGIN: Final = 5
#: A longer phase would squeeze the names beside it.
_PHASE_WIDTH: Final = 32


class LiveUpgradeDisplay:
    """Shows the plugins that have their turn; failures stay above them."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._plugins: dict[int, UpgradedPlugin] = {}
        self._warned: set[str] = set()
        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()

    def show(self, upgrade: Upgrade, plugins: Sequence[UpgradedPlugin]) -> None:
        """Show it as it is now, with the plugins that have changed."""
        for text in upgrade.warnings:
            if text not in self._warned:
                self._warned.add(text)
                self._console.print(f"warning: {text}", markup=False)
        for plugin in plugins:
            before = self._plugins.get(plugin.number)
            if plugin.state.endswith("failed") and (before is None or before.state != plugin.state):
                self._console.print(str(plugin), markup=False)
            self._plugins[plugin.number] = plugin
        moving = [one for one in self._plugins.values() if one.is_moving]
        shown = moving[: max(1, self._console.height - _MARGIN)]
        lines: list[RenderableType] = [_table(shown)] if shown else []
        if len(moving) > len(shown):
            lines.append(Text(f"and {len(moving) - len(shown)} more"))
        summary = Text(upgrade.summary())
        message = [Text(upgrade.message)] if upgrade.message else []
        self._live.update(Group(*lines, summary, *message), refresh=True)

    def note(self, text: str) -> None:
        """Show a line of our own."""
        self._console.print(text, markup=False)

    def close(self) -> None:
        """Leave what is shown as it is."""
        self._live.stop()


def _table(plugins: Sequence[UpgradedPlugin]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="")
    for heading in LIVE_HEADINGS:
        is_phase = heading == "PHASE"
        table.add_column(heading, no_wrap=True, max_width=_PHASE_WIDTH if is_phase else None)
    for one in plugins:
        row = (one.node, one.name, one.state, one.status, one.shown_bytes)
        table.add_row(*(Text(text) for text in row))
    return table
