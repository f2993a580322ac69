"""The streams of what could not be handled."""

from __future__ import annotations

import time
import traceback

from shared.bus import metrics, names
from shared.bus.connection import Words
from shared.bus.envelope import Fields


def bury(
    stream: str,
    fields: Fields,
    *,
    group: str,
    stream_id: str,
    attempt: int,
    fault: Exception,
    length: int,
) -> Words:
    """Return the command that keeps an entry, as it was, with what is known of its failure."""
    metrics.DEAD_LETTERS.inc()
    kept = [part for pair in fields.items() for part in pair]
    trace = "".join(traceback.format_exception(fault))
    about: list[str | bytes] = ["group", group, "stream_id", stream_id, "attempt", str(attempt)]
    about += ["error", f"{type(fault).__qualname__}: {fault}", "traceback", trace]
    about += ["buried_at", str(time.time_ns())]
    return ("XADD", names.dead(stream), "MAXLEN", "~", length, "*", *kept, *about)
