"""The one line that is logged of each message that was handled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from shared import errdefs
from shared.bus.metrics import outcome

log = structlog.get_logger()


@dataclass(slots=True)
class Line:
    """How the handling of a message ended."""

    error: Exception | None = None


@contextmanager
def told(event: str, *, is_quiet: bool = False, **more: Any) -> Iterator[Line]:
    """Log a line at the block's end: how it ended and how long it took.

    What the message is, and about what, stands in the context; a fault's stack is told where the
    message is settled. One that is quiet is told at level debug unless it failed.
    """
    line, began = Line(), time.perf_counter()
    yield line
    said: dict[str, Any] = {**more, "outcome": outcome(line.error)}
    said["duration_ms"] = round((time.perf_counter() - began) * 1000, 3)
    if isinstance(line.error, errdefs.Error):
        said["reason"] = line.error.message
    (log.debug if is_quiet and line.error is None else log.info)(event, **said)
