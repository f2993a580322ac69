"""What the event service needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from services.event.domain.feed import Change
from shared.contracts.audit import (
    AuditPage,
    AuditRecord,
    AuditVerified,
    ReadAudit,
    RequestAudited,
    VerifyAudit,
)
from shared.contracts.event import FeedEvent, FeedPage, FeedPosition, ReadFeed
from shared.contracts.plugin import Plugin

#: Nanoseconds since the epoch.
Clock = Callable[[], int]


class Feed(Protocol):
    """The feed's database."""

    async def positions(self) -> tuple[FeedPosition, ...]:
        """Return how far each epoch was taken in, the newest of each source last."""
        ...

    async def take_in(self, changes: Sequence[Change], *, now_ns: int) -> tuple[FeedEvent, ...]:
        """Add the events of changes and return those that are new, once they are on disk.

        A repeat adds nothing. Raises ResourceExhausted or Unavailable when the disk fails; then
        nothing of any change was taken in.
        """
        ...

    async def page(self, query: ReadFeed) -> FeedPage:
        """Return the events that fit, and where to read on; does not wait."""
        ...

    async def trim(self, *, keep: int, before_ns: int) -> int:
        """Delete some of the oldest events and return how many; 0: none is left to delete.

        Spares the newest *keep*, and all from the first event that is not older than *before_ns*.
        """
        ...

    async def probe(self) -> None:
        """Prove that the database takes writes; raises as take_in does."""
        ...


class Audit(Protocol):
    """Who asked for what, chained."""

    async def append(
        self, requests: Sequence[tuple[RequestAudited, str]]
    ) -> tuple[AuditRecord, ...]:
        """Add what messages, named by their ids, tell, and return what is new, once on disk.

        A repeat adds nothing. Raises ResourceExhausted or Unavailable when the disk fails; then
        nothing was added.
        """
        ...

    async def page(self, query: ReadAudit) -> AuditPage:
        """Return a piece of the audit."""
        ...

    async def verify(self, noted: VerifyAudit) -> AuditVerified:
        """Compute the chain anew and tell where it first differs."""
        ...


class Collector(Protocol):
    """A plugin that collects the node's metrics; raises errdefs while it can't be reached."""

    async def start_metrics(self, plugin: Plugin) -> str:
        """Have a plugin collect; return what it says against it, nothing when it collects."""
        ...

    async def stop_metrics(self, plugin: Plugin) -> None:
        """Have a plugin stop collecting."""
        ...
