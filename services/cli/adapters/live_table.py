"""ports.TableDisplay on a terminal: a table that changes in place."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table


class LiveTable:
    """Shows the newest rows, and leaves the last ones where they are."""

    def __init__(self, headings: Sequence[str], console: Console | None = None) -> None:
        self._headings = headings
        self._live = Live(console=console or Console(highlight=False), auto_refresh=False)
        self._live.start()

    def show(self, rows: Sequence[Sequence[str]]) -> None:
        """Show these rows in place of those before."""
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="")
        for heading in self._headings:
            table.add_column(heading, no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._live.update(table, refresh=True)

    def close(self) -> None:
        """Leave what is shown as it is."""
        self._live.stop()
