"""Logs: the output of containers that follow one another, as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field

from services.executor.domain import log_lines
from services.executor.domain.record import Record
from services.executor.ports import Host, LogReader, Signal
from services.executor.service.watch import Held, Watch
from shared.contracts.executor import FollowLog, LogEntry, LogLine

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Reads logs, each over all its containers: those that are kept, and those that are here."""

    host: Host
    watch: Watch
    #: Set when a log is deleted, for those who follow it.
    _deleted: dict[str, asyncio.Event] = field(default_factory=dict)

    async def delete(self, log_name: str) -> None:
        """Delete what deleted containers left in a log, and end its readers."""
        await asyncio.to_thread(self.host.logs.delete, log_name)
        deleted = self._deleted.pop(log_name, None)
        if deleted is not None:
            deleted.set()

    async def follow(self, wish: FollowLog) -> AsyncGenerator[list[LogEntry], None]:
        """Yield a log's entries, oldest first and in batches; with *follow*, until it is deleted.

        Memory is bounded however slowly it is read; what is rotated away meanwhile is lost to a
        reader that is two files behind.
        """
        reading = _Reading(wish=wish, host=self.host, watch=self.watch)
        deleted = self._deleted.setdefault(wish.log_name, asyncio.Event())
        with ExitStack() as opened:
            for record, reader in await self._opened(wish, opened):
                async with aclosing(reading.of(record, reader)) as batches:
                    async for batch in batches:
                        yield batch
        while wish.follow and not reading.is_over:
            arrival = self.watch.arrival
            following = self._next(wish.log_name, reading.last)
            if following is None:
                await reading.wait(arrival, deleted)
                if deleted.is_set():
                    return
                continue
            async with aclosing(reading.of(following, self.host.logs.open(following))) as batches:
                async for batch in batches:
                    yield batch

    async def _opened(
        self, wish: FollowLog, opened: ExitStack
    ) -> Iterable[tuple[Record, LogReader]]:
        opening = asyncio.create_task(asyncio.to_thread(self._open, wish, opened))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A thread opens on, and what it opens is to be closed.
            await asyncio.gather(opening, return_exceptions=True)
            raise

    def _open(self, wish: FollowLog, opened: ExitStack) -> Iterable[tuple[Record, LogReader]]:
        """Open what is asked for, oldest first, and have *opened* close it."""
        readers: list[tuple[Record, LogReader]] = []
        left = wish.tail
        for record in reversed(self._records(wish.log_name)):
            reader, count = self._open_one(record, left)
            opened.callback(reader.close)
            readers.append((record, reader))
            if left is not None:
                left -= count
                if left == 0:
                    break
        return reversed(readers)

    def _open_one(self, record: Record, lines: int | None) -> tuple[LogReader, int]:
        if lines is None:
            return self.host.logs.open(record), 0
        return self.host.logs.open_tail(record, lines)

    def _next(self, log_name: str, last: tuple[int, str]) -> Record | None:
        later = (record for record in self._records(log_name) if record.order > last)
        return next(later, None)

    def _records(self, log_name: str) -> list[Record]:
        here = {held.container_id: held.record for held in self.watch.all()}
        kept = {record.container_id: record for record in self.host.logs.kept_of(log_name)}
        found = (kept | here).values()
        mine = (record for record in found if record.log_name == log_name)
        return sorted(mine, key=lambda record: record.order)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One reader's way through the containers of a log."""

    wish: FollowLog
    host: Host
    watch: Watch
    last: tuple[int, str] = (0, "")
    #: Whether a line lay behind the end of what was asked for.
    is_over: bool = False

    async def of(self, record: Record, reader: LogReader) -> AsyncGenerator[list[LogEntry], None]:
        """Yield one container's entries: its beginning and end are shown if a line of it is."""
        self.last = record.order
        is_shown = False
        held = self.watch.get(record.container_id)
        try:
            async with aclosing(self._raw(record, reader, held)) as raws:
                async for raw in raws:
                    lines = list(self._wanted(raw))
                    if lines and not is_shown:
                        yield [_began(record)]
                        is_shown = True
                    if lines:
                        yield [_line(record, line) for line in lines]
                    if self.is_over:
                        return
        finally:
            reader.close()
        ended = held.record.exit if held else record.exit
        if ended is not None and is_shown:
            yield [LogEntry(container_id=record.container_id, exit=ended)]

    async def wait(self, *events: Signal) -> None:
        """Wait until one is set, or what was asked for is over."""
        left_s = None
        if self.wish.until_ns is not None:
            left_s = max(0.0, (self.wish.until_ns - self.host.clock.now_ns()) / _NS)
        waits = [asyncio.create_task(event.wait()) for event in events]
        try:
            done, _ = await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            self.is_over = not done
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _raw(
        self, record: Record, reader: LogReader, held: Held | None
    ) -> AsyncGenerator[list[bytes], None]:
        with self.host.logs.written(record) as written:
            while not self.is_over:
                # Asked before the read: what an ended container wrote is all there.
                may_go_on = self.wish.follow and held is not None and not held.ended.is_set()
                written.clear()
                if lines := await asyncio.to_thread(reader.read):
                    yield lines
                elif held is not None and may_go_on:
                    await self.wait(written, held.ended)
                else:
                    return

    def _wanted(self, raw_lines: Iterable[bytes]) -> Iterable[LogLine]:
        since_ns, until_ns = self.wish.since_ns or 0, self.wish.until_ns
        for raw in raw_lines:
            parsed = log_lines.parse(raw)
            if parsed is None or parsed[0].time_ns < since_ns:
                continue
            line, is_whole = parsed
            if until_ns is not None and line.time_ns > until_ns:
                self.is_over = True
                return
            yield line if is_whole else line.model_copy(update={"partial": True})


def _began(record: Record) -> LogEntry:
    return LogEntry(container_id=record.container_id, started_at_ns=record.started_at_ns)


def _line(record: Record, line: LogLine) -> LogEntry:
    return LogEntry(container_id=record.container_id, line=line)
