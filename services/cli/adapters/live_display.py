"""ports.Display on a terminal: a row per layer, with its phase, bytes and rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from rich import filesize
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from services.cli.domain.job import Phases, Step

_BAR_WIDTH = 30
#: A terminal that is narrower has no room for a bar, or for a rate, beside what tells more.
_BAR_FROM: Final = 60
_RATE_FROM: Final = 50
#: Steps come in bursts: a rate over a moment would say nothing.
_RATE_AFTER_S: Final = 0.5


class _WhileMoving(ProgressColumn):
    """Another column, shown only for a layer whose bytes are counted."""

    def __init__(self, column: ProgressColumn, table_column: Column | None = None) -> None:
        super().__init__(table_column)
        self._column = column

    def render(self, task: Task) -> RenderableType:
        """Return what the other column shows, or nothing."""
        return self._column.render(task) if task.total else Text()


class _Rate(ProgressColumn):
    """Bytes a second, since the row's phase was first seen."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing before there is one to tell."""
        took_s = (task.finished_time if task.finished else task.elapsed) or 0.0
        moved = task.completed - task.fields["began_with"]
        if not task.total or moved <= 0 or took_s < _RATE_AFTER_S:
            return Text()
        shown = filesize.decimal(int(moved / took_s))
        return Text(f"{shown}/s", style="progress.data.speed")


def _columns(width: int) -> Iterator[ProgressColumn]:
    """Yield what a terminal of that width has room for: where room is short, the bar gives way."""
    yield TextColumn("{task.fields[about]}", markup=False)
    yield TextColumn("{task.description}", markup=False)
    if width >= _BAR_FROM:
        yield _WhileMoving(BarColumn(bar_width=_BAR_WIDTH))
    yield _WhileMoving(DownloadColumn(), Column(no_wrap=True))
    if width >= _RATE_FROM:
        yield _Rate(Column(no_wrap=True))


class LiveDisplay:
    """Rows that change in place; lines about no layer stay above them."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        console = console or Console(highlight=False)
        self._progress = Progress(*_columns(console.width), console=console, get_time=clock)
        self._rows: dict[str, TaskID] = {}
        self._phases = Phases()
        self._progress.start()

    def show(self, step: Step) -> None:
        """Show what the job told."""
        if not step.is_about_layer:
            if step.status:
                self.note(str(step))
            return
        before = self._phases.of(step.about)
        if not self._phases.advance(step):
            return
        done = step.current or 0
        if step.about not in self._rows:
            added = self._progress.add_task(step.status, total=0, about=step.about, began_with=done)
            self._rows[step.about] = added
        elif before != step.status:
            # A rate over two phases would say nothing. What is not named is dropped.
            self._progress.reset(
                self._rows[step.about],
                total=0,
                description=step.status,
                about=step.about,
                began_with=done,
            )
        row = self._rows[step.about]
        self._progress.update(row, total=step.total or 0, completed=done)

    def note(self, text: str) -> None:
        """Show a line of our own."""
        self._progress.console.print(text, markup=False)

    def close(self) -> None:
        """Leave what is shown as it is."""
        self._progress.stop()
