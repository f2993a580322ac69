"""A plugin's processes, as `ps` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.cli.domain.table import aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """A table of processes."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        return cls(titles=tuple(shown["titles"]), rows=tuple(map(tuple, shown["processes"])))

    def to_text(self) -> str:
        """Return the table."""
        return "\n".join(aligned([self.titles, *self.rows]))
