"""The newest events that pass a filter, oldest first: what a page begins with."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from services.gateway import ports
from services.gateway.domain.event_time import Window
from shared.contracts.event import FeedEvent, FeedFilter, FeedPage, ReadFeed

_LIMIT_S: Final = 10.0
#: How far back is looked for events that pass, by steps.
_DEPTHS: Final = (500, 5_000, 50_000)
#: Beyond any number of the feed: a page after it tells only where the feed stands.
_BEYOND: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """Some events, and the number behind which a reader goes on."""

    events: tuple[FeedEvent, ...]
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentEvents:
    """Reads the end of the feed; raises what the event service answers."""

    sender: ports.Sender

    async def read(self, wanted: FeedFilter, window: Window, *, count: int) -> Recent:
        """Return at most *count* events; without a beginning only the last 50,000 are looked at."""
        if window.since_ns is not None:
            return await self._after(0, wanted, window, count)
        last_seq = (await self._page(_BEYOND, FeedFilter(), Window())).last_seq
        found = Recent(events=(), last_seq=last_seq)
        for depth in _DEPTHS:
            found = await self._after(max(0, last_seq - depth), wanted, window, count)
            if len(found.events) == count or depth >= last_seq:
                break
        return found

    async def _after(self, seq: int, wanted: FeedFilter, window: Window, count: int) -> Recent:
        kept: deque[FeedEvent] = deque(maxlen=count)
        page = await self._page(seq, wanted, window)
        kept.extend(page.events)
        while page.more:
            page = await self._page(page.next_seq, wanted, window)
            kept.extend(page.events)
        return Recent(events=tuple(kept), last_seq=page.last_seq)

    async def _page(self, seq: int, wanted: FeedFilter, window: Window) -> FeedPage:
        command = ReadFeed(
            after_seq=seq, since_ns=window.since_ns, until_ns=window.until_ns, filter=wanted
        )
        return await self.sender.send(command, timeout_s=_LIMIT_S)
