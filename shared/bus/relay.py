"""From a service's outbox to its changes stream, in order and without doubles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import structlog

from shared.bus import names, tracing
from shared.bus.connection import Link, Words, keep_running
from shared.bus.envelope import Envelope
from shared.bus.position import ask_ends, order, read_ends
from shared.bus.redis_bus import RedisBus
from shared.bus.trimming import trim
from shared.contracts.message import Message
from shared.telemetry import context

log = structlog.get_logger()

_BATCH = 256
#: After so long without news all who are well have read what there is; so many entries stay even
#: then.
_REST_S = 5.0
_KEPT_AT_REST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message that is JSON already, as its outbox has it."""

    type: str
    body: bytes
    #: W3C trace context of what it is about; empty where that was not recorded.
    traceparent: str = ""


#: A row of an outbox: its number, and what it publishes.
Row = tuple[int, Message | Written]

_NOT_OURS = "NOTOURS"
#: Appends rows to the stream only while it is ours, in one step: a row that came into an emptied
#: stream alone would tell its readers that those before it are lost. Each row is its id, the
#: number of its words, and those; one that is in the stream already is passed over.
_ADD_IF_OURS = f"""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return redis.error_reply('{_NOT_OURS}')
end
local at = 3
while at < #ARGV do
    local first, last = at + 2, at + 1 + ARGV[at + 1]
    local added = redis.pcall(
        'XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], ARGV[at], unpack(ARGV, first, last))
    if type(added) == 'table' and not string.find(added.err, 'equal or smaller', 1, true) then
        return added
    end
    at = last + 1
end
return redis.status_reply('OK')
"""


class Relay:
    """Publishes outbox rows as entries `<number>-0`; it alone may write the stream.

    Its only cursor is the stream's last id, so that a crash between any two steps is harmless:
    Redis refuses a number that it has had. Rows of another *epoch*, or beyond the outbox's
    last, mean that the database was replaced: the stream is deleted and filled anew.

    Where *readers* are named, the services that subscribe, what all of them have settled leaves
    the stream, but for the newest *kept*: those who follow it without a group may be so far
    behind before they have to take a new snapshot. Once nothing happened for *rest_s* only a few
    stay.
    """

    def __init__(
        self,
        *,
        bus: RedisBus,
        epoch: str,
        read_after: Callable[[int, int], Awaitable[Sequence[Row]]],
        last_number: Callable[[], Awaitable[int]],
        length: int | None = None,
        readers: Collection[str] = (),
        kept: int = 1024,
        rest_s: float = _REST_S,
        is_traced: bool = False,
    ) -> None:
        """Keep about *length* entries in the stream, or as many as the bus's settings say.

        With *is_traced* publishing is a span, below what the rows came from.
        """
        self._bus = bus
        self._is_traced = is_traced
        self._length = length or bus.settings.changes_length
        self._epoch = epoch
        self._read_after = read_after
        self._last_number = last_number
        self._readers = readers
        self._kept = kept
        self._rest_s = rest_s
        self._stream = names.changes(bus.node, bus.service)
        self._epoch_key = names.epoch(bus.node, bus.service)
        self._news = asyncio.Event()
        self._must_align = False
        bus.server.on_change(self._on_change)

    def wake(self) -> None:
        """Say that rows were committed."""
        self._news.set()

    async def run(self) -> None:
        """Publish what is committed until cancelled."""
        server = self._bus.server
        await keep_running(server.link(), self._session, settings=server.settings)

    async def _session(self, link: Link) -> None:
        while True:
            await self._pump(link, await self._align(link))

    async def _align(self, link: Link) -> int:
        """Return the number of the last row in the stream, emptied first if it is not ours."""
        self._must_align = False
        epoch, info = await link.call(("GET", self._epoch_key), ask_ends(self._stream))
        last, _ = order(read_ends(info).last)
        if epoch == self._epoch.encode() and last <= await self._last_number():
            return last
        if last:
            log.warning("changes stream is not of this outbox, filling it anew", last=last)
            _raise_first(await link.call(("DEL", self._stream)))
        _raise_first(await link.call(("SET", self._epoch_key, self._epoch)))
        return 0

    async def _pump(self, link: Link, after: int) -> None:
        """Publish rows until the stream must be looked at again."""
        trimmed_at, is_at_rest = 0, False
        while not self._must_align:
            self._news.clear()
            rows = await self._read_after(after, _BATCH)
            before = after
            if rows:
                if not await self._publish(link, rows):
                    return
                after, is_at_rest = rows[-1][0], False
                if after - trimmed_at >= _BATCH:
                    trimmed_at = after
                    await self._trim(link, after - self._kept)
            # Less than was asked for is all there was: what was committed since is news.
            if after - before < _BATCH:
                is_at_rest = await self._wait(link, after, is_at_rest=is_at_rest)

    async def _wait(self, link: Link, after: int, *, is_at_rest: bool) -> bool:
        """Wait for news; tell whether there were none for so long that the stream was cut."""
        if not is_at_rest and not await self._come(within_s=self._rest_s):
            is_at_rest = True
            await self._trim(link, after - _KEPT_AT_REST)
        await self._news.wait()
        return is_at_rest

    async def _come(self, *, within_s: float) -> bool:
        """Tell whether there are news within so long."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _trim(self, link: Link, before: int) -> None:
        if not self._readers:
            return
        (answer,) = await link.call(trim(self._stream, before, self._readers))
        if isinstance(answer, Exception):
            # It only grows, up to its length.
            log.warning("changes stream not trimmed", reason=str(answer))

    async def _publish(self, link: Link, rows: Sequence[Row]) -> bool:
        """Append the rows; tell whether the stream is still ours, for a flush may come between."""
        written = [(number, _written(message)) for number, message in rows]
        head = ("EVAL", _ADD_IF_OURS, 2, self._stream, self._epoch_key, self._epoch)
        with self._publishing([message for _, message in written]):
            words = [word for row in written for word in self._words(*row)]
            (answer,) = await link.call((*head, self._length, *words))
        if isinstance(answer, Exception) and _NOT_OURS in str(answer):
            return False
        _raise_first([answer])
        return True

    def _publishing(self, written: Sequence[Written]) -> AbstractContextManager[object]:
        if not self._is_traced:
            return nullcontext()
        causes = [message.traceparent for message in written]
        return tracing.relaying(self._stream, written[0].type, causes)

    def _words(self, number: int, written: Written) -> Words:
        envelope = Envelope(
            message_id=f"{self._epoch}-{number}",
            message_type=written.type,
            node=self._bus.node,
            source=self._bus.process,
            epoch=self._epoch,
            traceparent=context.traceparent() if self._is_traced else written.traceparent,
            body=written.body,
        )
        words = envelope.encode()
        return (f"{number}-0", len(words), *words)

    def _on_change(self) -> None:
        self._must_align = True
        self._news.set()


def _written(message: Message | Written) -> Written:
    if isinstance(message, Written):
        return message
    return Written(type=message.TYPE, body=message.model_dump_json().encode())


def _raise_first(answers: Sequence[Any]) -> None:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
