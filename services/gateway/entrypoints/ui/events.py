"""The event feed: what happened last, through a filter, and what happens."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from services.gateway.domain.event_cursor import Gap
from services.gateway.domain.event_reading import Reading
from services.gateway.domain.event_time import Window
from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.guard import Visit
from services.gateway.entrypoints.ui.page import Page
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.feed import Feed
from services.gateway.service.recent_events import Recent, RecentEvents
from shared import errdefs
from shared.contracts.event import FeedEvent, FeedFilter

_COUNT: Final = 200
_NS: Final = 10**9
#: How far back the page begins, by the words of its form; in seconds.
SPANS: Final = {"": 0, "last 10 minutes": 600, "last hour": 3_600, "last day": 86_400}
TYPES: Final = ("plugin", "volume", "daemon", "node", "service", "upgrade")
#: What follows in the sound of each action.
_TONES: Final = {
    "enable": "good",
    "restart": "good",
    "health_status: healthy": "good",
    "create": "busy",
    "upgrade": "busy",
    "pull": "busy",
    "die": "bad",
    "oom": "bad",
    "start_failed": "bad",
    "not_restarted": "bad",
    "health_status: unhealthy": "bad",
    "degraded": "warn",
    "rollback": "warn",
    "disable": "off",
    "remove": "off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events a person wishes to see."""

    type: str = ""
    action: str = ""
    actor: str = ""
    span: str = ""

    @classmethod
    def of(cls, request: Request) -> Wanted:
        """Read it from a page's address; raises InvalidArgument."""
        span = request.form("span")
        if span not in SPANS:
            raise errdefs.InvalidArgument(f"span {span} is none of {', '.join(SPANS)}")
        return cls(
            type=request.form("type"),
            action=request.form("action").strip(),
            actor=request.form("actor").strip(),
            span=span,
        )

    def filter(self) -> FeedFilter:
        """Return it as the feed's own."""
        asked = {"type": self.type, "event": self.action, "plugin": self.actor}
        return FeedFilter(terms={key: (value,) for key, value in asked.items() if value})

    def window(self, now_ns: int) -> Window:
        """Return the times that it means now."""
        seconds = SPANS[self.span]
        return Window(since_ns=now_ns - seconds * _NS) if seconds else Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsPage:
    """The handler, and what it needs."""

    feed: Feed
    recent: RecentEvents

    async def show(self, request: Request, _visit: Visit) -> Page | Stream:
        """Show the newest events that fit, newest first, or tell those that come."""
        wanted = Wanted.of(request)
        if live.is_wished(request):
            return live.stream(await self.follow(wanted.filter(), live.cursor(request)))
        window = wanted.window(time.time_ns())
        found = await self.recent.read(wanted.filter(), window, count=_COUNT)
        return Page(
            title="Events",
            section="events",
            template="events.html",
            position=str(found.last_seq),
            values={
                "wanted": wanted,
                "spans": SPANS,
                "types": TYPES,
                "actions": tuple(_TONES),
                "entries": rows(found.events),
                "kept": _COUNT,
            },
        )

    async def newest(self, wanted: FeedFilter, *, count: int) -> Recent:
        """Return the newest events that pass."""
        return await self.recent.read(wanted, Window(), count=count)

    async def follow(self, wanted: FeedFilter, after: str) -> AsyncGenerator[bytes, None]:
        """Begin to tell events behind a position, without a gap; raises InvalidArgument."""
        if not after.isascii() or not after.isdecimal():
            raise errdefs.InvalidArgument(f"{after} is no number of an event: load the page anew")
        reading = Reading(
            window=Window(),
            filter=wanted,
            after_seq=int(after),
            opened_ns=self.feed.clock(),
            positions=self.feed.positions(),
        )
        batches = await self.feed.open(reading)

        async def items() -> AsyncGenerator[FeedEvent | Gap, None]:
            async with aclosing(batches):
                async for batch in batches:
                    for item in batch:
                        yield item

        return live.told(live.gathered(items()), _written)


def rows(events: tuple[FeedEvent, ...] | list[FeedEvent]) -> str:
    """Return events as rows of a table, the newest first."""
    return render("events_rows.html", {"events": list(reversed(events)), "tones": _TONES})


def _written(items: list[FeedEvent | Gap]) -> bytes:
    """Write what came together as one message, behind a word about what is lost."""
    events = [item for item in items if isinstance(item, FeedEvent)]
    gaps = [item for item in items if isinstance(item, Gap)]
    told = b"".join(live.message("gap", render("events_gap.html", {"gap": gap})) for gap in gaps)
    if not events:
        return told
    return told + live.message("first", rows(events), position=str(events[-1].seq))
