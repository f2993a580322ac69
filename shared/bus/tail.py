"""Reading another service's facts without a group: for replicas, which remember nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import structlog

from shared.bus.commands import delivery
from shared.bus.connection import Backoff, DisconnectedError, Link, stream_entries
from shared.bus.envelope import Entry, Envelope, UnreadableError, decode
from shared.bus.ports import Delivery
from shared.bus.position import START, Ends, ask_ends, order, read_ends
from shared.bus.server import Server

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Facts may have been missed: take a new snapshot; what follows came after *after*."""

    reason: str
    after: str


#: What a tail yields.
Tailed = tuple[Envelope, Delivery] | Gap


class Tail:
    """One reader of one stream: yields what it reads, and a Gap where it may have missed some."""

    def __init__(self, *, server: Server, stream: str, after: str) -> None:
        self._server = server
        self._stream = stream
        self._cursor = after
        #: Highest id that the stream was seen to have given.
        self._seen = START
        self._epoch = ""
        self._generation = ""
        self._check_at = 0.0

    async def read(self) -> AsyncGenerator[Tailed, None]:
        """Yield for ever, through reconnections, until the iterator is closed."""
        settings = self._server.settings
        link = self._server.link()
        backoff = Backoff(base_s=settings.backoff_base_s, cap_s=settings.backoff_cap_s)
        try:
            while True:
                try:
                    items = await self._next(link)
                except DisconnectedError as error:
                    log.debug("bus connection lost", error=str(error))
                    self._check_at = 0.0
                    await asyncio.sleep(backoff.next_s())
                    continue
                backoff.reset()
                for item in items:
                    yield item
        finally:
            await link.close()

    async def _next(self, link: Link) -> list[Tailed]:
        await link.connect()
        gap = await self._check(link)
        if gap is not None:
            return [gap]
        settings = self._server.settings
        read = ("XREAD", "COUNT", settings.read_count, "BLOCK", int(settings.block_s * 1000))
        (answer,) = await link.call(
            (*read, "STREAMS", self._stream, self._cursor), wait_s=settings.block_s
        )
        return [item for entry in stream_entries(answer) for item in self._take(entry)]

    def _take(self, entry: Entry) -> list[Tailed]:
        before = self._cursor
        self._cursor = self._seen = entry.stream_id
        try:
            envelope = decode(entry.fields or {})
        except UnreadableError:
            log.exception("unreadable fact", stream_id=entry.stream_id)
            return [Gap(reason="an entry cannot be read", after=entry.stream_id)]
        item = (envelope, delivery(envelope, stream_id=entry.stream_id, attempt=1))
        epoch, self._epoch = self._epoch, envelope.epoch
        if epoch and epoch != envelope.epoch:
            return [Gap(reason="its owner has another database", after=before), item]
        return [item]

    async def _check(self, link: Link) -> Gap | None:
        """Compare the stream with what was read of it: now and then, and after each trouble."""
        now = asyncio.get_running_loop().time()
        known = self._generation
        if now < self._check_at and self._server.generation == known:
            return None
        asked = self._server.ask_generation()
        answer, info = await link.call(asked, ask_ends(self._stream))
        generation = self._generation = self._server.observe(asked, answer)
        self._check_at = now + self._server.settings.block_s
        ends = read_ends(info)
        reason = "the message bus lost its data" if known not in ("", generation) else ""
        reason = reason or self._missed(ends)
        self._seen = ends.last
        if not reason:
            return None
        self._cursor = ends.last
        self._epoch = ""
        return Gap(reason=reason, after=ends.last)

    def _missed(self, ends: Ends) -> str:
        if self._cursor == "$":
            return "start"
        if order(ends.last) < order(self._seen):
            return "the stream began anew"
        cursor = order(self._cursor)
        if cursor == order(START):
            return ""
        kept_from = order(ends.first) if ends.first else order(ends.last)
        # The entry at the cursor is gone, so those after it may be: trimming takes the oldest.
        return "the stream was trimmed" if kept_from > cursor else ""
