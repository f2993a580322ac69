"""Containers' output: conmon's log file and the one before it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.executor.domain import log_lines
from services.executor.domain.layout import Layout
from shared.contracts.executor import LogLine

_BLOCK = 64 * 1024
#: Answers travel over the bus: of very long lines only the newest are told.
_MAX_TAIL_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFiles:
    """ports.Logs."""

    layout: Layout
    #: Size at which the newest file is full; with the old one, twice that is kept.
    max_bytes: int

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
        yield from _lines_before(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def _lines_before(fd: int, end: int) -> Iterator[bytes]:
    rest = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        lines = (os.pread(fd, end - begin, begin) + rest).split(b"\n")
        rest = lines[0]
        yield from (line for line in reversed(lines[1:]) if line)
        end = begin
    if rest:
        yield rest
