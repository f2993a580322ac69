"""ports.Traces: what the services of a node have kept of their traces, read when asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
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
        """Return the spans of traces whose ids begin so, what they led to, and what that did."""
        return await asyncio.to_thread(self._about, trace_id)

    def _about(self, trace_id: str) -> tuple[KeptSpan, ...]:
        found = self._with(kept.trace_mark(trace_id))
        known = {span.span_id for span in found}
        led_to = {span.trace_id for span in found if not span.trace_id.startswith(trace_id)}
        marks = [kept.trace_mark(one) for one in led_to]
        read = (_read(line) for line in self._lines() if _is_linked_to(line, marks))
        return (*found, *(span for span in read if span and span.span_id not in known))

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


def _is_linked_to(line: bytes, marks: Sequence[bytes]) -> bool:
    return kept.LINKED_MARK in line and any(mark in line for mark in marks)


def _read(line: bytes) -> KeptSpan | None:
    try:
        return KeptSpan.model_validate_json(line)
    except ValidationError:
        return None  # cut short: by a full disk, or because it is written right now
