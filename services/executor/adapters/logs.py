"""Containers' output: conmon's log file and the one before it, and what is kept of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.executor.adapters.inotify import WRITTEN, FolderEvents
from services.executor.adapters.kept_logs import KeptLogs
from services.executor.adapters.log_reader import LogReader, backwards
from services.executor.domain import log_lines
from services.executor.domain.layout import Layout
from services.executor.domain.record import Record
from shared.contracts.executor import LogLine

#: Answers travel over the bus: of very long lines only the newest are told.
_MAX_TAIL_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFiles:
    """ports.Logs."""

    layout: Layout
    #: Size at which the newest file is full; with the old one, twice that is kept.
    max_bytes: int
    kept: KeptLogs
    events: FolderEvents

    def open(self, record: Record) -> LogReader:
        """Open the output of a container, deleted or not, at its beginning."""
        bundle = self.layout.bundle(record.container_id)
        if bundle.path.exists():
            return LogReader(bundle.log, bundle.old_log)
        return LogReader(self.kept.path(record))

    def open_tail(self, record: Record, lines: int) -> tuple[LogReader, int]:
        """Open a container's output at its last lines; return how many they are as well."""
        reader = self.open(record)
        return reader, reader.skip_to_last(lines)

    @contextlib.contextmanager
    def written(self, record: Record) -> Iterator[asyncio.Event]:
        """Hold an event that is set whenever a container has written, or its log was rotated."""
        with contextlib.ExitStack() as stack:
            try:
                folder = self.layout.bundle(record.container_id).path
                happened = stack.enter_context(self.events.watching(folder, WRITTEN))
            except FileNotFoundError:
                happened = asyncio.Event()  # deleted meanwhile: it writes no more
            yield happened

    def keep(self, record: Record) -> None:
        """Keep the last output of a container that is about to be deleted, if its log has a name.

        A repeat is safe. Raises OSError.
        """
        bundle = self.layout.bundle(record.container_id)
        self.kept.keep(record, bundle.old_log, bundle.log)

    def kept_of(self, log_name: str) -> list[Record]:
        """Return the deleted containers whose last output is kept, oldest first."""
        return self.kept.records(log_name)

    def delete(self, log_name: str) -> None:
        """Delete what is kept of a log; none is success."""
        self.kept.delete(log_name)

    def tail(self, container_id: str, lines: int) -> list[LogLine]:
        """Return the last lines, oldest first; reads from the end, no more than is asked for."""
        bundle = self.layout.bundle(container_id)
        newest_first = itertools.chain(_backwards(bundle.log), _backwards(bundle.old_log))
        taken = list(_enough(newest_first, lines))
        whole = list(log_lines.join_partials(reversed(taken)))
        return whole[-lines:] if lines else []

    def is_full(self, container_id: str) -> bool:
        """Tell whether the newest file has reached its limit."""
        try:
            return self.layout.bundle(container_id).log.stat().st_size >= self.max_bytes
        except FileNotFoundError:
            return False  # renamed a moment ago, and not yet opened anew

    def rotate(self, container_id: str) -> None:
        """Rename the newest file over the old one; its writer must then be told to reopen."""
        bundle = self.layout.bundle(container_id)
        bundle.log.replace(bundle.old_log)


def _enough(newest_first: Iterator[bytes], lines: int) -> Iterator[bytes]:
    """Yield raw lines until *lines* whole ones are complete.

    The end of a line is met before its beginning, so one whole line more is read and, with what
    of it is incomplete, cut off by the caller.
    """
    whole = 0
    size = 0
    for raw in newest_first:
        parsed = log_lines.parse(raw)
        whole += parsed is not None and parsed[1]
        size += len(raw)
        if whole > lines or size > _MAX_TAIL_BYTES:
            return
        yield raw


def _backwards(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, last one first."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        for _, line in backwards(fd):
            yield line
    finally:
        os.close(fd)
