"""Displays without a terminal: lines, one below the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.cli.domain.job import Phases, Step
from services.cli.domain.table import aligned


class PlainDisplay:
    """ports.Display: says a layer's status when it changes, not every byte."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._phases = Phases()

    def show(self, step: Step) -> None:
        """Show what the job told."""
        before = self._phases.of(step.about)
        if (
            step.status
            and self._phases.advance(step)
            and not (step.about and step.status == before)
        ):
            self._say(str(step))

    def note(self, text: str) -> None:
        """Show a line of our own."""
        self._say(text)

    def close(self) -> None:
        """Leave what is shown as it is."""


class PlainTable:
    """ports.TableDisplay: says every table as a whole."""

    def __init__(self, say: Callable[[str], None], headings: Sequence[str]) -> None:
        self._say = say
        self._headings = headings

    def show(self, rows: Sequence[Sequence[str]]) -> None:
        """Say these rows."""
        self._say("\n".join(aligned([self._headings, *rows])))

    def close(self) -> None:
        """Leave what is shown as it is."""
