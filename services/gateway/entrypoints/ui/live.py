"""What changes on a page, as server-sent events that a browser resumes by their ids."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, TypeVar

from services.gateway.domain.live_regions import Regions, changes
from services.gateway.entrypoints.http import Request, Stream

EVENT_STREAM: Final = b"text/event-stream"
#: What comes within it is told at once: a screen shows no more than a few pictures a second.
WINDOW_S: Final = 0.25
#: Of a page with more items than that, changes are told once a second: each costs the browser
#: a look at all of it.
_MANY: Final = 100
LONG_WINDOW_S: Final = 1.0
#: A comment after so long a silence, so that a connection that broke is noticed.
_SILENCE_S: Final = 15.0
_WAITING_LIMIT: Final = 4096
_COMMENT: Final = b":\n\n"
#: nginx would keep events back.
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))

T = TypeVar("T")
#: Tells whether the gateway stops: streams end then.
Closed = Callable[[], bool]


def is_wished(request: Request) -> bool:
    """Tell whether a browser asks for a page's changes in place of the page."""
    return EVENT_STREAM.decode() in (request.header(b"accept") or "")


def cursor(request: Request) -> str:
    """Return what the browser has seen last: of this stream, or else of the page."""
    return request.header(b"last-event-id") or request.form("after")


def stream(chunks: AsyncGenerator[bytes, None]) -> Stream:
    """Return the answer that tells changes."""
    return Stream(chunks=chunks, content_type=EVENT_STREAM, headers=_HEADERS)


def message(event: str, html: str, *, position: str = "") -> bytes:
    """Write one server-sent event."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines()) or "data:\n"
    place = f"id: {position}\n" if position else ""
    return f"{place}event: {event}\n{lines}\n".encode()


async def regions(
    look: Callable[[], Awaitable[tuple[str, Regions]]],
    moved: Callable[[str], Awaitable[bool]],
    *,
    seen: str,
    is_closed: Closed,
    refresh_s: float = math.inf,
) -> AsyncGenerator[bytes, None]:
    """Tell the parts of a page that became others than what was *seen*, until the gateway stops.

    *look* returns a position and the parts. *moved* tells within a second whether that is
    another by now; what has no position is looked at every *refresh_s*.
    """
    position, shown = await look()
    # Where it is not known what the page shows, all of it is told anew.
    yield _morphs([] if position == seen else [*shown.whole()], position)
    looked = told = time.monotonic()
    while not is_closed():
        if await moved(position) or time.monotonic() - looked >= refresh_s:
            position, now = await look()
            looked = time.monotonic()
            if new := changes(shown, now):
                yield _morphs(new, position)
                told = looked
                await asyncio.sleep(LONG_WINDOW_S if now.size > _MANY else WINDOW_S)
            shown = now
        if time.monotonic() - told >= _SILENCE_S:
            yield _COMMENT
            told = time.monotonic()


def _morphs(pieces: list[str], position: str) -> bytes:
    """Write the pieces as messages; only the last one moves the position."""
    *before, last = pieces or [""]
    told = b"".join(message("morph", piece) for piece in before)
    return told + message("morph", last, position=position)


async def gathered(source: AsyncGenerator[T, None]) -> AsyncGenerator[list[T], None]:
    """Yield what comes in little heaps, and an empty one after a silence; raises as *source*."""
    waiting: asyncio.Queue[T] = asyncio.Queue(_WAITING_LIMIT)

    async def pump() -> None:
        async with contextlib.aclosing(source):
            async for item in source:
                await waiting.put(item)

    pumping = asyncio.create_task(pump())
    try:
        while not (pumping.done() and waiting.empty()):
            yield await _heap(waiting, pumping)
        await pumping
    finally:
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)


async def told(
    heaps: AsyncGenerator[list[T], None], write: Callable[[list[T]], bytes]
) -> AsyncGenerator[bytes, None]:
    """Yield each heap as written, and a comment for an empty one."""
    async with contextlib.aclosing(heaps):
        async for heap in heaps:
            yield write(heap) if heap else _COMMENT


async def _heap(waiting: asyncio.Queue[T], pumping: asyncio.Task[None]) -> list[T]:
    first = asyncio.create_task(waiting.get())
    try:
        await asyncio.wait(
            {first, pumping}, timeout=_SILENCE_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not first.done():
            return []
        heap = [first.result()]
    finally:
        first.cancel()
    await asyncio.sleep(WINDOW_S)
    while not waiting.empty():
        heap.append(waiting.get_nowait())
    return heap
