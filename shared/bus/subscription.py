"""The consumer's side of facts: in order, each until it is handled or buried."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from pydantic import ValidationError
from structlog.contextvars import bound_contextvars

from shared import errdefs
from shared.bus import deadletter, lines, metrics, settle, subject, tracing
from shared.bus.commands import binding, delivery
from shared.bus.connection import (
    Backoff,
    Link,
    Words,
    ensure_group,
    is_groupless,
    keep_running,
    stream_entries,
)
from shared.bus.envelope import Entry, Envelope, UnreadableError, decode
from shared.bus.pending import Claimed, Group
from shared.bus.ports import Delivery, FactHandler, FactsHandler
from shared.bus.server import Server
from shared.bus.settle import Outcome
from shared.bus.writer import Writer
from shared.contracts.message import Message
from shared.telemetry.spans import note_error

log = structlog.get_logger()


class Subscription:
    """Handles one owner's facts one after the other; a fact that fails holds up the next.

    Facts of types without a handler are passed over. Where *together* is given, facts that came
    together, or within *linger_s* of the first, are handled by it; if it raises, they are handled
    one by one, for one of them may have to be buried. What *tells* says nothing of is handled
    without a span and a line, and only such facts are lingered for.
    """

    def __init__(
        self,
        *,
        server: Server,
        writer: Writer,
        group: Group,
        handlers: Mapping[type[Message], FactHandler],
        together: FactsHandler | None = None,
        linger_s: float = 0.0,
        tells: Callable[[Any], bool] | None = None,
    ) -> None:
        self._server = server
        self._writer = writer
        self._group = group
        self._handlers = {model.TYPE: (model, handler) for model, handler in handlers.items()}
        self._together = together
        self._linger_s = linger_s
        self._tells = tells
        #: By stream id, of what was read from the stream and is not handled yet.
        self._known: dict[str, tuple[Envelope, Message | None]] = {}
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Read and handle until cancelled."""
        await keep_running(self._server.link(), self._session, settings=self._server.settings)

    async def finish(self, limit_s: float) -> None:
        """Begin no other fact, and wait for the one in hand to be settled."""
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._idle.wait()

    async def _session(self, link: Link) -> None:
        # Another owner's fact may have the same id after a loss.
        self._known.clear()
        await ensure_group(link, self._group.stream, self._group.name)
        await self._take_pending(link)
        settings = self._server.settings
        while not self._stopping.is_set():
            read = self._group.read(count=settings.read_count, block_s=settings.group_block_s)
            (answer,) = await link.call(read, wait_s=settings.group_block_s)
            if is_groupless(answer):
                await ensure_group(link, self._group.stream, self._group.name)
                continue
            arrived = stream_entries(answer)
            if arrived and self._linger_s and self._may_wait(arrived):
                arrived += await self._linger(link)
            await self._handle_all([Claimed(entry=entry, attempt=1) for entry in arrived])

    def _may_wait(self, arrived: Sequence[Entry]) -> bool:
        """Tell whether nothing of what arrived is to be handled at once."""
        if self._tells is None:
            return True
        try:
            facts = (self._read(Claimed(entry=entry, attempt=1))[1] for entry in arrived)
            return not any(fact is not None and self._tells(fact) for fact in facts)
        except (UnreadableError, ValidationError):
            return False  # to be buried

    async def _linger(self, link: Link) -> list[Entry]:
        """Return what comes within a moment, the first that may not wait with it the last.

        What was read is pending meanwhile.
        """
        loop = asyncio.get_running_loop()
        until, come = loop.time() + self._linger_s, list[Entry]()
        while not self._stopping.is_set() and (left_s := until - loop.time()) > 0:
            read = self._group.read(count=self._server.settings.read_count, block_s=left_s)
            (answer,) = await link.call(read, wait_s=left_s)
            if is_groupless(answer) or not (new := stream_entries(answer)):
                break
            come += new
            if not self._may_wait(new):
                break
        return come

    async def _take_pending(self, link: Link) -> None:
        """Take up what was read and not settled, one at a time: claiming counts as a delivery."""
        while not self._stopping.is_set():
            page = await self._group.claim(link.call, count=1)
            if page.after is None:
                return
            await self._handle_all(page.claimed)

    async def _handle_all(self, batch: Sequence[Claimed]) -> None:
        """Handle in order and settle together; a crash hands the batch out again."""
        commands: list[Words] = []
        done: list[str] = []
        self._idle.clear()
        try:
            one_by_one = batch
            if len(batch) > 1 and await self._handle_together(batch):
                done, one_by_one = [claimed.entry.stream_id for claimed in batch], ()
            for claimed in one_by_one:
                burial = None if self._stopping.is_set() else await self._handle(claimed)
                if burial is None:
                    break
                commands += burial
                done.append(claimed.entry.stream_id)
            if done:
                await self._writer.persist(*commands, self._group.settled(done))
        finally:
            self._known.clear()
            self._idle.set()

    async def _handle_together(self, batch: Sequence[Claimed]) -> bool:
        """Handle all of them at once; tell whether that was possible, and is done."""
        if self._together is None or self._stopping.is_set():
            return False
        try:
            read = [self._read(claimed) for claimed in batch]
            known = [(envelope, fact, arrival) for envelope, fact, arrival in read if fact]
            told = [envelope for envelope, fact, _ in known if self._is_told(fact)]
            with (
                tracing.handling_facts(self._group.stream, told),
                lines.told("facts", is_quiet=not told, count=len(known)),
                metrics.timed_together(metrics.FACT_SECONDS, [fact.TYPE for _, fact, _ in known]),
            ):
                await self._together([(fact, arrival) for _, fact, arrival in known])
        except Exception as error:  # noqa: BLE001 - told, sorted and tried again one by one
            log.info("facts not handled together, so one by one", error=repr(error))
            return False
        return True

    def _is_told(self, fact: Message) -> bool:
        return self._tells is None or self._tells(fact)

    def _read(self, claimed: Claimed) -> tuple[Envelope, Message | None, Delivery]:
        """Read a fact, None for one without a handler; raises for one that can't be read.

        It is parsed once, however often it is looked at until it is handled.
        """
        known = self._known.get(claimed.entry.stream_id)
        if known is None:
            envelope = decode(claimed.entry.fields or {})
            model, _ = self._handlers.get(envelope.message_type, (None, None))
            known = envelope, envelope.read(model) if model is not None else None
            self._known[claimed.entry.stream_id] = known
        envelope, fact = known
        arrival = delivery(envelope, stream_id=claimed.entry.stream_id, attempt=claimed.attempt)
        return envelope, fact, arrival

    async def _handle(self, claimed: Claimed) -> list[Words] | None:
        """Handle one fact until it is settled; return what burying it takes, None if stopped."""
        fields = claimed.entry.fields or {}
        with bound_contextvars(**binding(fields, attempt=claimed.attempt)):
            try:
                envelope, fact, _ = self._read(claimed)
            except (UnreadableError, ValidationError) as error:
                return [self._bury(claimed, claimed.attempt, error)]
            if fact is None:
                return []
            _, handler = self._handlers[envelope.message_type]
            return await self._try_on(claimed, envelope, fact, handler)

    async def _try_on(
        self, claimed: Claimed, envelope: Envelope, fact: Message, handler: FactHandler
    ) -> list[Words] | None:
        settings = self._server.settings
        backoff = Backoff(base_s=settings.retry_base_s, cap_s=settings.retry_cap_s)
        attempt = claimed.attempt
        while True:
            arrival = delivery(envelope, stream_id=claimed.entry.stream_id, attempt=attempt)
            error = await self._run(envelope, fact, handler, arrival)
            if error is None:
                return []
            settlement = settle.not_noted(error, attempt=attempt, cap=settings.delivery_cap)
            if settlement.outcome is Outcome.BURY:
                return [self._bury(claimed, attempt, error)]
            attempt += 0 if isinstance(error, errdefs.Unavailable) else 1
            log.warning("fact not handled, trying again", error=repr(error))
            if await self._stops_within(backoff.next_s()):
                return None

    async def _stops_within(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _run(
        self, envelope: Envelope, fact: Message, handler: FactHandler, arrival: Delivery
    ) -> Exception | None:
        if arrival.attempt > 1:
            metrics.REDELIVERED.inc()
        about, is_told = subject.of(fact), self._is_told(fact)
        with (
            tracing.handling_fact(self._group.stream, envelope, about, is_told=is_told) as span,
            bound_contextvars(**about),
            lines.told("fact", is_quiet=not is_told) as line,
            metrics.timed(metrics.FACT_SECONDS, fact.TYPE) as timing,
        ):
            try:
                await handler(fact, arrival)
            except Exception as error:  # noqa: BLE001 - settle sorts them; none is dropped
                note_error(span, error)
                timing.error = line.error = error
                return error
        return None

    def _bury(self, claimed: Claimed, attempt: int, error: Exception) -> Words:
        log.error("fact buried", exc_info=error)
        return deadletter.bury(
            self._group.stream,
            claimed.entry.fields or {},
            group=self._group.name,
            stream_id=claimed.entry.stream_id,
            attempt=attempt,
            fault=error,
            length=self._server.settings.dead_length,
        )
