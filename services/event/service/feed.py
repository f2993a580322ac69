"""The event service's handlers: one takes changes in, one lets the feed be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from services.event.domain.feed import LOST_ACTION, LOST_TYPE, Change, is_kept, source_of
from services.event.ports import Clock, Feed
from services.event.service import metrics
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.event import FeedEvent, FeedPage, FeedPosition, ReadFeed
from shared.contracts.health import Check

log = structlog.get_logger()

#: What is left of a deadline for the answer to travel.
_REPLY_TRAVEL_S = 0.05
#: Events taken in between two looks at what is too old to keep.
_TRIM_EVERY = 256


class Reached:
    """How far the feed has taken in each epoch of each source, and who waits for more."""

    def __init__(self, positions: tuple[FeedPosition, ...]) -> None:
        """Start from what was kept, the newest epoch of each source last."""
        self._revisions: dict[str, dict[str, int]] = {}
        for position in positions:
            self._note(position)
        self._moved = asyncio.Condition()

    def __str__(self) -> str:
        newest = [(source, *list(known.items())[-1]) for source, known in self._revisions.items()]
        said = (f"revision {rev} of epoch {epoch} ({source})" for source, epoch, rev in newest)
        return ", ".join(said) or "no change yet"

    async def advance(self, *positions: FeedPosition) -> None:
        """Note changes that were taken in and wake who waits; a repeat is safe."""
        for position in positions:
            self._note(position)
        async with self._moved:
            self._moved.notify_all()

    async def wait_for(self, wanted: Sequence[FeedPosition]) -> None:
        """Wait until the feed has reached all positions (an empty epoch: the newest one)."""
        async with self._moved:
            await self._moved.wait_for(lambda: all(map(self._has, wanted)))

    def _note(self, position: FeedPosition) -> None:
        known = self._revisions.setdefault(position.source, {})
        known[position.epoch] = max(position.revision, known.get(position.epoch, 0))

    def _has(self, wanted: FeedPosition) -> bool:
        if wanted.revision <= 0:
            return True
        known = self._revisions.get(wanted.source, {})
        newest = next(reversed(known), "")
        if known.get(wanted.epoch or newest, 0) >= wanted.revision:
            return True
        # Changes come in order: after the first of a newer epoch, the older one is complete.
        return wanted.epoch in known and wanted.epoch != newest


@dataclass(frozen=True, slots=True, kw_only=True)
class EventService:
    """The handlers and what they need."""

    feed: Feed
    reached: Reached
    clock: Clock
    #: Called with the events that were added: they wait to be published.
    added: Callable[[Sequence[FeedEvent]], None]

    async def take_in(self, change: Change, delivery: Delivery) -> None:
        """Take a change of a service in; see take_in_all."""
        await self.take_in_all(((change, delivery),))

    async def take_in_all(self, arrived: Sequence[tuple[Change, Delivery]]) -> None:
        """Take changes of a service in, all of them at once: one commit costs as much as many.

        A redelivered change adds nothing. Raises Unavailable while the disk is full or fails:
        the bus then keeps the changes, and those behind them, and delivers them again.
        """
        changes = [change for change, _ in arrived if is_kept(change)]
        if not changes:
            return
        try:
            events = await self.feed.take_in(changes, now_ns=self.clock())
        except errdefs.ResourceExhausted as error:
            # The bus buries what fails again and again, but never what waits for a part to return.
            raise errdefs.Unavailable(error.message) from error
        self._count(events)
        self.added(events)
        # In order: the last of an epoch is its newest.
        newest = {change.epoch: change for change in changes}
        await self.reached.advance(*map(_position, newest.values()))

    async def read_feed(self, query: ReadFeed, delivery: Delivery) -> FeedPage:
        """Answer with a page of the feed, once it has reached what the query asks for.

        Raises DeadlineExceeded, saying how far it has got, a little before the caller gives up.
        """
        try:
            async with asyncio.timeout(self._patience_s(delivery)):
                await self.reached.wait_for(_wanted(query))
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

    def _count(self, events: Sequence[FeedEvent]) -> None:
        if not events:
            return
        metrics.EVENTS.inc(len(events))
        metrics.LAST_SEQ.set(events[-1].seq)
        now_ns = self.clock()
        for event in events:
            metrics.LAG_SECONDS.observe(max(0.0, (now_ns - event.time_ns) / 1e9))
            if (event.type, event.action) == (LOST_TYPE, LOST_ACTION):
                metrics.LOST.inc()
                log.error("events lost", epoch=event.epoch, **event.attributes)

    def _patience_s(self, delivery: Delivery) -> float:
        if delivery.deadline_ns is None:
            return 0.0  # nobody waits for the answer
        return (delivery.deadline_ns - self.clock()) / 1e9 - _REPLY_TRAVEL_S

    def _behind(self, query: ReadFeed) -> errdefs.DeadlineExceeded:
        wanted = ", ".join(_described(one) for one in _wanted(query) if one.revision)
        return errdefs.DeadlineExceeded(
            f"the event feed did not reach {wanted} in time: it has taken in {self.reached}; "
            "see the log of the event service, then try again"
        )


def _position(change: Change) -> FeedPosition:
    return FeedPosition(source=source_of(change), epoch=change.epoch, revision=change.revision)


def _described(position: FeedPosition) -> str:
    epoch = f" of epoch {position.epoch}" if position.epoch else ""
    return f"revision {position.revision}{epoch} ({position.source})"


def _wanted(query: ReadFeed) -> tuple[FeedPosition, ...]:
    """Return what a reader counts on."""
    store = FeedPosition(source="store", epoch=query.epoch, revision=query.min_revision)
    return (store, *query.reached)


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
