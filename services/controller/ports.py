"""What the controller needs of the world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from services.controller.domain.row import Unit
from services.controller.domain.term import Holder
from shared.contracts.job import JobEnded, JobProgress, JobRequest, Sealed
from shared.contracts.message import Command, Message
from shared.contracts.node import Row, RowsChanged
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact, PluginChanged

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

    async def replace(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        """Make these all rows there are; only facts are published."""

    async def apply(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        """Take in rows as another controller has committed them; only facts are published."""

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

    def progress(self, node: str, job_id: str) -> AsyncGenerator[JobProgress | JobEnded, None]:
        """Yield what a job tells, from its beginning to its end.

        Raises Unavailable when Redis lost it: ask for the job.
        """

    def changes(self, node: str) -> AsyncGenerator[RowsChanged | Lost, None]:
        """Yield what the controller of *node* commits from now on; Lost comes first."""

    def plugin_changes(self, node: str) -> AsyncGenerator[PluginChanged | Lost, None]:
        """Yield what the store of *node* commits from now on; Lost comes first."""


class Vault(Protocol):
    """Seals to nodes, and opens what was sealed to ours."""

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Open what was sealed to our node for *subject*; raises InvalidArgument."""
        ...

    def seal(self, key: str, secret: bytes, subject: str) -> Sealed:
        """Seal to a node's public key, base64; raises InvalidArgument for what is none."""
        ...


class PluginBackend(Protocol):
    """The plugins of the node that a task is on.

    All raise the node's errors, Unavailable and DeadlineExceeded while it does not answer.
    """

    async def get(self, name: str) -> Plugin | None:
        """Return a plugin by its name or id; None: there is none."""
        ...

    async def pull(self, request: JobRequest) -> None:
        """Install a plugin; returns once it is there. Again, it goes on with what was begun."""
        ...

    async def upgrade(self, request: JobRequest) -> None:
        """Replace a plugin by another version; as `pull`. One that runs is watched, or put back."""
        ...

    async def abandon(self) -> None:
        """Call off what `pull` and `upgrade` began, and return once it is over; safe to repeat."""
        ...

    async def enable(self, name: str, *, timeout_s: int) -> None:
        """Start a plugin; one that runs is success."""
        ...

    async def disable(self, name: str, *, force: bool) -> None:
        """Stop a plugin; one that is stopped is success."""
        ...

    async def remove(self, name: str, *, force: bool) -> None:
        """Remove a plugin; one that is gone is success."""
        ...

    async def acquire(self, plugin: Plugin, task_id: str) -> None:
        """Hold a plugin that runs for a task; held already is success."""
        ...

    async def release(self, plugin: Plugin, task_id: str) -> None:
        """Hold a plugin no more for a task; not held is success."""
        ...

    def watch(self, plugin_id: str) -> AsyncGenerator[Plugin | None, None]:
        """Yield a plugin as it is now, then after each change of it; None: it is gone."""
        ...
