"""The event stream of /wherry/v1 as lines of JSON, or as server-sent events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

from services.gateway.domain.event_cursor import Gap
from services.gateway.entrypoints.wherry_models import EventGap, GapLine
from services.gateway.service.feed import Batch
from shared.contracts.event import FeedEvent

#: Writes one item of the feed.
Format = Callable[[FeedEvent | Gap], str]


def json_line(item: FeedEvent | Gap) -> str:
    """Write an event as a line of its own; a gap is a line with that key only."""
    if isinstance(item, Gap):
        return GapLine(gap=_gap(item)).model_dump_json() + "\n"
    return item.model_dump_json() + "\n"


def server_sent(item: FeedEvent | Gap) -> str:
    """Write an item as a server-sent event, whose id is where a client reads on."""
    if isinstance(item, Gap):
        return f"event: gap\ndata: {_gap(item).model_dump_json()}\n\n"
    return f"id: {item.seq}\ndata: {item.model_dump_json()}\n\n"


async def formatted(
    batches: AsyncGenerator[Batch, None], write: Format
) -> AsyncGenerator[bytes, None]:
    """Yield each batch as bytes."""
    async with contextlib.aclosing(batches):
        async for batch in batches:
            yield "".join(write(item) for item in batch).encode()


def _gap(gap: Gap) -> EventGap:
    return EventGap(after=gap.after_seq, oldest=gap.oldest_seq)
