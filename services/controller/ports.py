"""What the controller needs of the world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from services.controller.domain.row import Unit
from services.controller.domain.term import Holder
from shared.contracts.message import Command, Message
from shared.contracts.node import Row, RowsChanged

R = TypeVar("R", bound=Message)

#: Nanoseconds since the epoch.
Clock = Callable[[], int]


class Records(Protocol):
    """controller.db."""

    async def load(self) -> Sequence[Row]:
        """Read all rows."""

    async def after(self, kind: str, key: str, *, limit: int) -> Sequence[Row]:
        """Read rows after one, by kind and key."""

    async def commit(self, unit: Unit) -> None:
        """Commit a unit whole, and its rows for publication."""

    async def replace(self, rows: Sequence[Row]) -> None:
        """Make these all rows there are; nothing is published."""

    async def apply(self, rows: Sequence[Row]) -> None:
        """Take in rows as another controller has committed them; nothing is published."""

    async def replied(self, message_id: str) -> str | None:
        """Return what a command was already answered with, as JSON."""


class Lease(Protocol):
    """The fleet's lease: one controller holds it, and acts for as long as it does."""

    async def take(self, term: int) -> Holder:
        """Take the lease for *term* if nobody has it, renew it if we have; return who has it.

        Raises Unavailable when Redis does not answer.
        """

    async def look(self) -> Holder | None:
        """Return who has the lease; raises Unavailable when Redis does not answer."""

    async def release(self) -> None:
        """Let the lease go if we have it; does nothing when Redis does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Changes may have been missed: all rows are to be read anew."""


class Fleet(Protocol):
    """The services of all nodes."""

    async def send(
        self,
        node: str,
        command: Command[R],
        *,
        timeout_s: float,
        message_id: str | None = None,
    ) -> R:
        """Send a command to its owner on *node*, as Sender.send does."""

    async def order(
        self,
        node: str,
        command: Command[R],
        *,
        timeout_s: float,
        message_id: str | None = None,
    ) -> R:
        """Send as the active controller: raises Conflict, nothing sent, when we are not."""

    def changes(self, node: str) -> AsyncGenerator[RowsChanged | Lost, None]:
        """Yield what the controller of *node* commits from now on; Lost comes first."""
