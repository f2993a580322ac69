"""The event service's handlers: one takes changes in, one lets the feed be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.event.domain import LOST_ACTION, LOST_TYPE, Position
from services.event.ports import Clock, Feed
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.event import FeedPage, ReadFeed
from shared.contracts.health import Check
from shared.contracts.store import PluginChanged

log = structlog.get_logger()

#: What is left of a deadline for the answer to travel.
_REPLY_TRAVEL_S = 0.05
#: Events taken in between two looks at what is too old to keep.
_TRIM_EVERY = 256


class Reached:
    """How far the feed has taken in each epoch of the store, and who waits for more."""

    def __init__(self, positions: tuple[Position, ...]) -> None:
        """Start from what was kept, the newest epoch last."""
        self._revisions = {position.epoch: position.revision for position in positions}
        self._moved = asyncio.Condition()

    def __str__(self) -> str:
        if not self._revisions:
            return "no change yet"
        epoch, revision = list(self._revisions.items())[-1]
        return f"revision {revision} of epoch {epoch}"

    async def advance(self, epoch: str, revision: int) -> None:
        """Note a change that was taken in and wake who waits; a repeat is safe."""
        self._revisions[epoch] = max(revision, self._revisions.get(epoch, 0))
        async with self._moved:
            self._moved.notify_all()

    async def wait_for(self, epoch: str, revision: int) -> None:
        """Wait until the feed has reached *revision* of *epoch* (empty: of the newest one)."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._has(epoch, revision))

    def _has(self, epoch: str, revision: int) -> bool:
        if revision <= 0:
            return True
        newest = next(reversed(self._revisions), "")
        if self._revisions.get(epoch or newest, 0) >= revision:
            return True
        # Changes come in order: after the first of a newer epoch, the older one is complete.
        return epoch in self._revisions and epoch != newest


@dataclass(frozen=True, slots=True, kw_only=True)
class EventService:
    """The handlers and what they need."""

    feed: Feed
    reached: Reached
    clock: Clock
    #: Called with the number of events that were added: they wait to be published.
    added: Callable[[int], None]

    async def plugin_changed(self, change: PluginChanged, delivery: Delivery) -> None:
        """Take a change of the store in.

        A redelivered change adds nothing. Raises Unavailable while the disk is full or fails:
        the bus then keeps the change, and those behind it, and delivers it again.
        """
        try:
            events = await self.feed.take_in(change, now_ns=self.clock())
        except errdefs.ResourceExhausted as error:
            # The bus buries what fails again and again, but never what waits for a part to return.
            raise errdefs.Unavailable(error.message) from error
        for event in events:
            if (event.type, event.action) == (LOST_TYPE, LOST_ACTION):
                log.error("events lost", epoch=event.epoch, **event.attributes)
        self.added(len(events))
        await self.reached.advance(change.epoch, change.revision)

    async def read_feed(self, query: ReadFeed, delivery: Delivery) -> FeedPage:
        """Answer with a page of the feed, once it has reached what the query asks for.

        Raises DeadlineExceeded, saying how far it has got, a little before the caller gives up.
        """
        try:
            async with asyncio.timeout(self._patience_s(delivery)):
                await self.reached.wait_for(query.epoch, query.min_revision)
        except TimeoutError as error:
            raise self._behind(query) from error
        return await self.feed.page(query)

    async def checks(self) -> tuple[Check, ...]:
        """Tell whether the database takes writes, and how far the feed has got."""
        try:
            await self.feed.probe()
            database = Check(name="database", ok=True)
        except errdefs.Error as error:
            database = Check(name="database", ok=False, message=error.message)
        return database, Check(name="position", ok=True, message=str(self.reached))

    def _patience_s(self, delivery: Delivery) -> float:
        if delivery.deadline_ns is None:
            return 0.0  # nobody waits for the answer
        return (delivery.deadline_ns - self.clock()) / 1e9 - _REPLY_TRAVEL_S

    def _behind(self, query: ReadFeed) -> errdefs.DeadlineExceeded:
        epoch = f" of epoch {query.epoch}" if query.epoch else ""
        return errdefs.DeadlineExceeded(
            f"the event feed did not reach the store's revision {query.min_revision}{epoch} in "
            f"time: it has taken in {self.reached}; see the log of the event service, then try "
            "again"
        )


@dataclass(slots=True, kw_only=True)
class Retention:
    """Deletes, in the background, the events that need no longer be kept."""

    feed: Feed
    clock: Clock
    #: The newest events that are kept however old they are.
    keep: int
    #: The age up to which all events are kept.
    keep_for_ns: int
    _untrimmed: int = 0
    _due: asyncio.Event = field(default_factory=asyncio.Event)

    def added(self, count: int) -> None:
        """Note events that were added."""
        self._untrimmed += count
        if self._untrimmed >= _TRIM_EVERY:
            self._untrimmed = 0
            self._due.set()

    async def run(self) -> None:
        """Trim now, and again after every few hundred events, until cancelled."""
        while True:
            await self._trim()
            await self._due.wait()
            self._due.clear()

    async def _trim(self) -> None:
        before_ns = self.clock() - self.keep_for_ns
        try:
            while deleted := await self.feed.trim(keep=self.keep, before_ns=before_ns):
                log.info("old events deleted", count=deleted)
        except errdefs.Error as error:
            # What stays too long does no harm, and the next round deletes it.
            log.warning("old events not deleted", error=error.message)
