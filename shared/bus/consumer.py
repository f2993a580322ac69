"""The owner's side of commands: reads them, has them handled in tasks, settles them."""

from __future__ import annotations

import asyncio

import structlog
from structlog.contextvars import bound_contextvars

from shared.bus import deadletter
from shared.bus.commands import CommandTable, binding
from shared.bus.connection import (
    Link,
    Words,
    ensure_group,
    is_groupless,
    keep_running,
    stream_entries,
)
from shared.bus.envelope import Entry, Reply
from shared.bus.pending import Claimed, Group
from shared.bus.reaper import Reaper
from shared.bus.server import Server
from shared.bus.settle import Outcome, Settlement
from shared.bus.writer import Writer

log = structlog.get_logger()


class CommandConsumer:
    """Runs up to *concurrency* handlers at once; an entry is never in two of them."""

    def __init__(
        self,
        *,
        server: Server,
        writer: Writer,
        group: Group,
        table: CommandTable,
        source: str,
        concurrency: int,
    ) -> None:
        self._server = server
        self._writer = writer
        self._group = group
        self._table = table
        self._source = source
        self._concurrency = concurrency
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._freed = asyncio.Event()

    @property
    def in_hand(self) -> list[str]:
        """Return the ids of the entries that are being handled."""
        return list(self._in_hand)

    @property
    def free(self) -> int:
        """Return how many more handlers may run."""
        return self._concurrency - len(self._in_hand)

    def start(self, claimed: Claimed) -> None:
        """Begin to handle an entry, unless it is in hand."""
        stream_id = claimed.entry.stream_id
        if stream_id not in self._in_hand:
            self._in_hand[stream_id] = asyncio.create_task(self._attend(claimed))

    async def run(self) -> None:
        """Read until cancelled; what is in hand then goes on until *finish*."""
        reaper = Reaper(writer=self._writer, group=self._group, work=self)
        renewing = asyncio.create_task(reaper.run(self._server.settings.lease_s))
        try:
            await keep_running(self._server.link(), self._session, settings=self._server.settings)
        finally:
            renewing.cancel()

    async def finish(self, limit_s: float) -> None:
        """Wait for what is in hand; what takes longer is cancelled and delivered again later."""
        tasks = list(self._in_hand.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _session(self, link: Link) -> None:
        await ensure_group(link, self._group.stream, self._group.name)
        await self._take_pending(link)
        block_s = self._server.settings.group_block_s
        while True:
            await self._wait_free()
            read = self._group.read(count=self.free, block_s=block_s)
            (answer,) = await link.call(read, wait_s=block_s)
            if is_groupless(answer):
                await ensure_group(link, self._group.stream, self._group.name)
                continue
            for entry in stream_entries(answer):
                self.start(Claimed(entry=entry, attempt=1))

    async def _take_pending(self, link: Link) -> None:
        """Take up what was read before, by this process or the one before it."""
        after: str | None = None
        while True:
            await self._wait_free()
            page = await self._group.claim(
                link.call, count=self.free, after=after, in_hand=self._in_hand
            )
            for claimed in page.claimed:
                self.start(claimed)
            if page.after is None:
                return
            after = page.after

    async def _wait_free(self) -> None:
        while self.free <= 0:
            self._freed.clear()
            await self._freed.wait()

    async def _attend(self, claimed: Claimed) -> None:
        entry = claimed.entry
        try:
            with bound_contextvars(**binding(entry.fields or {}, attempt=claimed.attempt)):
                settlement = await self._table.handle(claimed)
                _log(settlement)
                await self._settle(claimed, settlement)
        except Exception:
            # It stays pending and is delivered again when its lease is over.
            log.exception("command not settled", stream_id=entry.stream_id)
        finally:
            del self._in_hand[entry.stream_id]
            self._freed.set()

    async def _settle(self, claimed: Claimed, settlement: Settlement) -> None:
        entry = claimed.entry
        commands: list[Words] = [*self._reply(entry, settlement)]
        if settlement.outcome is Outcome.BURY and settlement.fault is not None:
            commands.append(
                deadletter.bury(
                    self._group.stream,
                    entry.fields or {},
                    group=self._group.name,
                    stream_id=entry.stream_id,
                    attempt=claimed.attempt,
                    fault=settlement.fault,
                    length=self._server.settings.dead_length,
                )
            )
        # Deleted as well: the stream holds only what is not settled, so trimming is far away. Both
        # or none, also of a Redis that forgets or refuses a part: nobody reads again what is
        # acknowledged and stays.
        commands += [
            ("MULTI",),
            ("XDEL", self._group.stream, entry.stream_id),
            self._group.settled([entry.stream_id]),
            ("EXEC",),
        ]
        for answer in await self._writer.persist(*commands):
            if isinstance(answer, Exception):
                log.error("redis refused a part of settling", error=str(answer))

    def _reply(self, entry: Entry, settlement: Settlement) -> list[Words]:
        fields = entry.fields or {}
        stream = fields.get(b"reply", b"")
        if not stream:
            return []
        reply = Reply(
            message_id=fields.get(b"id", b"").decode(errors="replace"),
            correlation=fields.get(b"corr", b"").decode(errors="replace"),
            node=fields.get(b"node", b"").decode(errors="replace"),
            source=self._source,
            body=settlement.reply,
            error=settlement.error,
        )
        settings = self._server.settings
        add = ("XADD", stream, "MAXLEN", "~", settings.replies_length, "*", *reply.encode())
        # Its reader may be gone for good: nothing else would ever delete the stream.
        return [add, ("EXPIRE", stream, settings.reply_ttl_s)]


def _log(settlement: Settlement) -> None:
    error = settlement.error
    match settlement.outcome:
        case Outcome.BURY:
            log.error("command buried", exc_info=settlement.fault)
        case _ if error is not None:
            log.debug("command answered with an error", code=error.code, error=error.message)
