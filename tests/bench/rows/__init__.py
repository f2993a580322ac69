"""The rows, by groups: a new group is a module here and a word in GROUPS."""

from __future__ import annotations

from tests.bench.rows import (
    batch,
    bulk,
    events,
    growth,
    idle,
    lifecycle,
    many,
    pulls,
    reads,
    recovery,
    startup,
    tracing,
)

#: In the order in which they are measured; the last two end and start both sides.
GROUPS = (
    lifecycle.GROUP,
    reads.GROUP,
    bulk.GROUP,
    many.GROUP,
    batch.GROUP,
    events.GROUP,
    pulls.GROUP,
    idle.GROUP,
    growth.GROUP,
    tracing.GROUP,
    recovery.GROUP,
    startup.GROUP,
)
