"""Docker's stream of events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from services.gateway.domain import docker_json, filters
from services.gateway.domain.event_reading import Reading
from services.gateway.domain.event_time import Window
from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.router import Route
from services.gateway.service.feed import Batch, Feed
from shared.contracts.event import FeedEvent, FeedFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRoutes:
    """The handler of GET /events."""

    feed: Feed
    lines: docker_json.EventLines = field(default_factory=docker_json.EventLines)

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (Route(method="GET", template="/events", handler=self.events),)

    async def events(self, request: Request) -> Stream:
        """Stream what has happened since, and what happens, until."""
        window = Window.parse(request.form("since"), request.form("until"))
        terms = filters.parse(request.form("filters"))
        reading = Reading(
            window=window,
            filter=FeedFilter(terms=dict(terms)),
            opened_ns=self.feed.clock(),
            positions=self.feed.positions(),
        )
        return Stream(chunks=self._lines(await self.feed.open(reading)))

    async def _lines(self, batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(batches):
            async for batch in batches:
                # Docker's clients know no holes; /wherry/v1/events tells of them.
                events = (item for item in batch if isinstance(item, FeedEvent))
                yield b"".join(map(self.lines.line, events))
