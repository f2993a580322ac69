"""ports.Display without a terminal: a line where something changes."""

from __future__ import annotations

from collections.abc import Callable

from services.cli.domain.job import Phases, Step


class PlainDisplay:
    """Says a layer's status when it changes, not every byte."""

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
