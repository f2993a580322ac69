"""The event feed, live: one tail of the event service, fanned out to all readers."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import structlog

from services.gateway import ports
from services.gateway.domain.event_cursor import Cursor, Gap
from services.gateway.domain.event_reading import Reading
from services.gateway.service.subscription import Subscription
from shared import errdefs
from shared.contracts.event import EventPublished, FeedEvent, FeedPage, FeedPosition, ReadFeed

_PAGE_LIMIT_S: Final = 10.0
#: How long the last page may hold up a stream that has come to its end.
_LAST_PAGE_LIMIT_S: Final = 3.0
#: How long a reader of what is new waits to learn where the feed stands.
_START_LIMIT_S: Final = 2.0
_NS: Final = 10**9
#: How long an answer waits for its events to be told.
_TOLD_LIMIT_S: Final = 0.25
#: Beyond any number of the feed: a page after it tells only where the feed stands.
_BEYOND: Final = 2**62

#: What a reading yields at a time, oldest first; never empty.
Batch = list[FeedEvent | Gap]

log = structlog.get_logger()


class Feed:
    """Follows the event service once and serves any number of readings.

    *positions* tells what clients were shown, so that a reading with an end misses nothing.
    """

    def __init__(
        self,
        *,
        sender: ports.Sender,
        changes: ports.Changes,
        positions: Callable[[], tuple[FeedPosition, ...]],
        clock: Callable[[], int] = time.time_ns,
        retry_s: float = 1.0,
    ) -> None:
        self._sender = sender
        self._changes = changes
        self.positions = positions
        self.clock = clock
        self._retry_s = retry_s
        # Weak: a reading that was opened and never begun goes with its generator.
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._is_closed = False
        #: The newest number seen; None until the event service was heard.
        self._last_seq: int | None = None
        #: The newest revision of each epoch whose events were handed to the readers.
        self._told: dict[str, int] = {}
        self._moved = asyncio.Event()

    @property
    def listeners(self) -> int:
        """Return how many readings are under way."""
        return len(self._subscriptions)

    async def run(self) -> None:
        """Follow the event service until cancelled."""
        async for message in self._changes.tail():
            match message:
                case EventPublished():
                    self._publish(message.events)
                    # Readers take what there is before more comes: none falls behind by this.
                    await asyncio.sleep(0)
                case ports.Lost():
                    self._mark_behind()

    def close(self) -> None:
        """End all readings, those to come too."""
        self._is_closed = True
        for subscription in self._subscriptions:
            subscription.close()

    async def open(self, reading: Reading) -> AsyncGenerator[Batch, None]:
        """Begin a reading and return its events; of history, the first page is read at once.

        Raises what the event service answers to that. Closing the generator ends the reading.
        """
        # Before the first page is read: what is published meanwhile must not be missed.
        subscription = Subscription()
        self._subscriptions.add(subscription)
        if self._is_closed:
            subscription.close()
        try:
            first = await self._first_page(reading)
        except BaseException:
            self._subscriptions.discard(subscription)
            raise
        seq = (reading.after_seq or 0) if reading.has_history else self._last_seq
        return self._batches(Cursor(reading=reading, seq=seq), subscription, first)

    async def told(self, position: FeedPosition) -> None:
        """Return once those who read what happens were handed the events of a position.

        At once while nobody reads, and in any case soon: the event service may be away.
        """
        if not self._subscriptions:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TOLD_LIMIT_S):
                while self._told.get(position.epoch, 0) < position.revision:
                    await self._moved.wait()

    def _publish(self, events: Sequence[FeedEvent]) -> None:
        self._last_seq = events[-1].seq
        for subscription in self._subscriptions:
            subscription.offer(events)
        self._told.update({event.epoch: event.revision for event in events})
        self._moved.set()
        self._moved = asyncio.Event()

    def _mark_behind(self) -> None:
        for subscription in self._subscriptions:
            subscription.mark_behind()

    async def _first_page(self, reading: Reading) -> FeedPage | None:
        if reading.has_history:
            return await self._read(reading.first_page(), _PAGE_LIMIT_S)
        if self._last_seq is None:
            with contextlib.suppress(errdefs.Error):
                await self._read(ReadFeed(after_seq=_BEYOND, limit=1), _START_LIMIT_S)
        return None

    async def _batches(
        self, cursor: Cursor, subscription: Subscription, page: FeedPage | None
    ) -> AsyncGenerator[Batch, None]:
        is_over = cursor.reading.is_past
        try:
            while page is not None or not (is_over or subscription.is_closed):
                if page is not None:
                    batch = cursor.take_page(page)
                    page = await self._fetch(cursor, subscription) if cursor.has_more else None
                else:
                    news = await subscription.next(self._remaining_s(cursor.reading))
                    is_over = news.is_over
                    is_behind = news.is_behind or cursor.misses(news.events)
                    batch = [] if is_behind else [*cursor.take_published(news.events)]
                    if is_over:
                        page = await self._last_page(cursor)
                    elif is_behind:
                        page = await self._fetch(cursor, subscription)
                if batch:
                    yield batch
        finally:
            self._subscriptions.discard(subscription)

    async def _fetch(self, cursor: Cursor, subscription: Subscription) -> FeedPage | None:
        """Read on, trying until the event service answers or nobody waits for it any more.

        Raises its error when the reading's time is over, for the reader must not take a feed
        that was cut for a whole one.
        """
        while cursor.seq is not None and not subscription.is_closed:
            try:
                return await self._read(cursor.reading.page(after_seq=cursor.seq), _PAGE_LIMIT_S)
            except errdefs.Error as error:
                remaining_s = self._remaining_s(cursor.reading)
                if remaining_s is not None and remaining_s <= 0:
                    raise
                log.warning("cannot read the event feed, trying on", error=error.message)
            await asyncio.sleep(self._retry_s)
        return None

    async def _last_page(self, cursor: Cursor) -> FeedPage | None:
        """Read what happened in time and was not published in time."""
        if cursor.seq is None:
            return None
        command = cursor.reading.page(after_seq=cursor.seq, reached=self.positions())
        try:
            return await self._read(command, _LAST_PAGE_LIMIT_S)
        except errdefs.Error as error:
            log.warning("an event stream may lack its last events", error=error.message)
            return None

    async def _read(self, command: ReadFeed, limit_s: float) -> FeedPage:
        page = await self._sender.send(command, timeout_s=limit_s)
        if self._last_seq is None:
            self._last_seq = page.last_seq
        return page

    def _remaining_s(self, reading: Reading) -> float | None:
        until_ns = reading.window.until_ns
        return None if until_ns is None else (until_ns - self.clock()) / _NS
