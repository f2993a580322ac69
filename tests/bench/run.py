"""A run: what a group of rows is given to measure with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contexts import Contexts
from tests.bench.record import Record
from tests.bench.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Both sides, and how much of them is wanted."""

    sides: Sequence[Side]
    contexts: Contexts
    record: Record
    #: How often each side has its turn at something short.
    repeat: int
    is_quick: bool
    #: On a fresh disk of the kind that both sides have.
    folder: Path
    #: Starts another Wherry node, on that disk, with variables of its own; it is gone after the
    #: block.
    another_node: Callable[..., AbstractContextManager[Side]]

    def turns(self, count: int) -> Iterator[tuple[int, Side]]:
        """Yield A B A B …: the number of the round and the side whose turn it is."""
        for number in range(count):
            for side in self.sides:
                yield number, side


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table."""

    name: str
    #: Of its values: ms, MB, %.
    unit: str = "ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that are measured together; both sides have no plugins before and after."""

    name: str
    rows: tuple[Row, ...]
    measure: Callable[[Run], None]
