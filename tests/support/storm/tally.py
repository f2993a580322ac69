"""What a storm counted, and its closing line."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Tally:
    """Operations and faults, and whatever a promise did not hold for; for many threads."""

    operations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def operation(self, outcome: str) -> None:
        """Count an operation by how it ended."""
        with self._lock:
            self.operations[outcome] += 1

    def fault(self, name: str) -> None:
        """Count a fault."""
        with self._lock:
            self.faults[name] += 1

    @property
    def broken(self) -> list[str]:
        """Return all for which a promise did not hold."""
        return [*self.lost, *self.duplicated, *self.orphaned]

    def closing_line(self) -> str:
        """Return all of it in a line."""
        return (
            f"{self.operations.total()} operations, {self.faults.total()} faults, "
            f"{len(self.lost)} lost, {len(self.duplicated)} duplicated, "
            f"{len(self.orphaned)} orphaned"
        )
