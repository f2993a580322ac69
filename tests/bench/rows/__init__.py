"""The rows, by groups: a new group is a module here and a word in GROUPS."""

from __future__ import annotations

from tests.bench.rows import bulk, idle, lifecycle, many, pulls, reads, startup

#: In the order in which they are measured; start-up ends and starts both sides, so it is the last.
GROUPS = (
    lifecycle.GROUP,
    reads.GROUP,
    bulk.GROUP,
    many.GROUP,
    pulls.GROUP,
    idle.GROUP,
    startup.GROUP,
)
