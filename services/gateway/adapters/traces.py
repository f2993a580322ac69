"""ports.Traces: what the services of a node have kept of their traces, read when asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from shared.telemetry import kept
from shared.telemetry.kept import KeptSpan


class FolderTraces:
    """The files of all services; nobody writes here."""

    def __init__(self, root: Path) -> None:
        self._folder = kept.folder(root)

    async def roots(self) -> tuple[KeptSpan, ...]:
        """Return the first span of each trace."""
        return await asyncio.to_thread(self._with, kept.ROOT_MARK)

    async def about(self, trace_id: str) -> tuple[KeptSpan, ...]:
        """Return the spans of traces whose ids begin so, and those that they led to."""
        return await asyncio.to_thread(self._with, kept.trace_mark(trace_id))

    def _with(self, mark: bytes) -> tuple[KeptSpan, ...]:
        read = (_read(line) for line in self._lines() if mark in line)
        return tuple(span for span in read if span is not None)

    def _lines(self) -> Iterator[bytes]:
        for path in sorted(self._folder.glob("*.jsonl")):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # begun anew a moment ago
            yield from content.split(b"\n")


def _read(line: bytes) -> KeptSpan | None:
    try:
        return KeptSpan.model_validate_json(line)
    except ValidationError:
        return None  # cut short: by a full disk, or because it is written right now
