"""What was published and not yet taken by one reader of the feed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.contracts.event import FeedEvent

#: Events that wait for a slow reader; beyond, it reads them from the event service.
WAITING_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has come, and what else a reader must know."""

    events: list[FeedEvent]
    #: Events were left out: read the feed.
    is_behind: bool
    #: The time to wait has run out.
    is_over: bool
    #: Nothing comes any more.
    is_closed: bool


class Subscription:
    """A bounded queue that never holds up who fills it."""

    def __init__(self) -> None:
        self._waiting: deque[FeedEvent] = deque()
        self._wake = asyncio.Event()
        self._is_behind = False
        self.is_closed = False

    def offer(self, events: Sequence[FeedEvent]) -> None:
        """Add events, or note that the reader is too slow for them."""
        if len(self._waiting) + len(events) > WAITING_LIMIT:
            self.mark_behind()
        elif not self._is_behind:
            self._waiting.extend(events)
        self._wake.set()

    def mark_behind(self) -> None:
        """Tell the reader to read the feed itself."""
        self._waiting.clear()
        self._is_behind = True
        self._wake.set()

    def close(self) -> None:
        """Tell the reader that nothing more comes."""
        self.is_closed = True
        self._wake.set()

    async def next(self, limit_s: float | None) -> News:
        """Wait until there is something to tell, at most *limit_s*, and take it all."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._wake.wait()
        self._wake.clear()
        news = News(
            events=list(self._waiting),
            is_behind=self._is_behind,
            is_over=limit_s is not None and limit_s <= 0,
            is_closed=self.is_closed,
        )
        self._waiting.clear()
        self._is_behind = False
        return news
