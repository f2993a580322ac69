"""ports.Display on a terminal: a row per layer, with its phase, bytes and rate."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

from services.cli.domain.job import Step

_BAR_WIDTH = 30


class _WhileMoving(ProgressColumn):
    """Another column, shown only for a layer whose bytes are counted."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        """Return what the other column shows, or nothing."""
        return self._column.render(task) if task.total else Text()


class LiveDisplay:
    """Rows that change in place; lines about no layer stay above them."""

    def __init__(self, console: Console | None = None) -> None:
        bar = BarColumn(bar_width=_BAR_WIDTH, table_column=Column(width=_BAR_WIDTH))
        self._progress = Progress(
            TextColumn("{task.fields[about]}", markup=False),
            TextColumn("{task.description}", markup=False),
            _WhileMoving(bar),
            _WhileMoving(DownloadColumn()),
            _WhileMoving(TransferSpeedColumn()),
            console=console or Console(highlight=False),
        )
        self._rows: dict[str, TaskID] = {}
        self._phases: dict[str, str] = {}
        self._progress.start()

    def show(self, step: Step) -> None:
        """Show what the job told."""
        if not step.about:
            if step.status:
                self.note(step.status)
            return
        row = self._rows.get(step.about)
        if row is None:
            row = self._progress.add_task(step.status, total=0, about=step.about)
            self._rows[step.about] = row
        elif self._phases[step.about] != step.status:
            # A rate over two phases would say nothing.
            self._progress.reset(row, total=0, description=step.status)
        self._phases[step.about] = step.status
        self._progress.update(row, total=step.total or 0, completed=step.current or 0)

    def note(self, text: str) -> None:
        """Show a line of our own."""
        self._progress.console.print(text, markup=False)

    def close(self) -> None:
        """Leave what is shown as it is."""
        self._progress.stop()
