"""ports.Display without a terminal: a line where something changes."""

from __future__ import annotations

from collections.abc import Callable

from services.cli.domain.job import Step


class PlainDisplay:
    """Says a layer's status when it changes, not every byte."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last: dict[str, str] = {}

    def show(self, step: Step) -> None:
        """Show what the job told."""
        if not step.status or (step.about and self._last.get(step.about) == step.status):
            return
        self._last[step.about] = step.status
        self._say(f"{step.about}: {step.status}" if step.about else step.status)

    def note(self, text: str) -> None:
        """Show a line of our own."""
        self._say(text)

    def close(self) -> None:
        """Leave what is shown as it is."""
