"""Keeps a service's recent spans on disk, bounded, for `wherry trace`."""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from shared.telemetry import kept

log = structlog.get_logger()

#: What waits for the disk at most; beyond it the oldest is dropped.
_WAITING: Final = 4096
#: Spans that end within so long are written together: most requests are over by then, which so
#: need not share their processors with this, and many lines at once cost half as much each.
_GATHERED_S: Final = 0.25


class RecentSpans(SpanProcessor):
    """Writes spans to a file that is begun anew when it has grown, the one before it kept.

    No work waits for it: a thread writes, which sleeps until a span ends. What a process has
    written outlives it, killed or not. A disk that is full costs spans, nothing else.
    """

    def __init__(self, root: Path, service: str, *, keep_bytes: int) -> None:
        """Keep about *keep_bytes* in the data root."""
        self._service = service
        self._before, self._path = kept.files(root, service)
        self._file_bytes = keep_bytes // 2
        self._waiting: deque[ReadableSpan] = deque(maxlen=_WAITING)
        self._is_news = threading.Event()
        self._is_over = threading.Event()
        self._is_failing = False
        self._fd = -1
        self._thread = threading.Thread(target=self._run, name="recent spans", daemon=True)
        self._thread.start()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: a span is kept when it has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        """Have a span written soon."""
        self._waiting.append(span)
        self._is_news.set()

    def shutdown(self) -> None:
        """Write what waits, and end the thread."""
        self._is_over.set()
        self._is_news.set()
        self._thread.join()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return at once: what waits is written within a moment anyway."""
        return True

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._is_news.wait()
            self._is_over.wait(_GATHERED_S)
            self._is_news.clear()
            self._write_all()
        self._write_all()
        if self._fd >= 0:
            os.close(self._fd)

    def _write_all(self) -> None:
        spans = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not spans:
            return
        lines = b"".join(map(self._line, spans))
        try:
            self._write(lines)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                log.warning("recent traces not kept", path=str(self._path), reason=str(error))
            self._is_failing = True

    def _line(self, span: ReadableSpan) -> bytes:
        try:
            return kept.line_of(span, self._service)
        except ValueError as error:
            # It says what no JSON holds; the others are kept.
            log.warning("span not kept", span=span.name, reason=str(error))
            return b""

    def _write(self, lines: bytes) -> None:
        if self._fd < 0:
            self._fd = self._open()
        os.write(self._fd, lines)
        if os.fstat(self._fd).st_size >= self._file_bytes:
            os.close(self._fd)
            self._fd = -1
            self._path.replace(self._before)

    def _open(self) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
