"""What the bus counts of a service's messages."""

from __future__ import annotations

import time
from collections import Counter as Counted
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from shared import errdefs

#: Seconds: from a read that is answered from memory to a plugin that takes its time.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)

COMMAND_SECONDS = Histogram(
    "wherry_bus_command_duration_seconds",
    "Handling of commands, by type and outcome: ok, or the error's code.",
    ["type", "outcome"],
    buckets=_BUCKETS,
)
COMMAND_WAIT_SECONDS = Histogram(
    "wherry_bus_command_wait_seconds",
    "From a command's arrival in its stream to the beginning of its handling.",
    buckets=_BUCKETS,
)
FACT_SECONDS = Histogram(
    "wherry_bus_fact_duration_seconds",
    "Handling of facts, each try by itself, by type and outcome.",
    ["type", "outcome"],
    buckets=_BUCKETS,
)
REDELIVERED = Counter(
    "wherry_bus_redelivered", "Messages that came again, because their handler died or failed."
)
DEAD_LETTERS = Counter("wherry_bus_dead_letters", "Messages that were buried.")
UNANSWERED = Counter(
    "wherry_bus_unanswered",
    "Commands that this service sent and got no answer to, by type and by what it gave up with.",
    ["type", "outcome"],
)
UP = Gauge("wherry_bus_up", "Whether Redis answered the service when it was last asked.")
LAG = Gauge("wherry_bus_lag", "Commands that wait in the service's stream and were not read yet.")
PENDING = Gauge("wherry_bus_pending", "Commands that were read and are not settled yet.")


@dataclass(slots=True)
class Timing:
    """How a message's handling ended."""

    error: Exception | None = None


@contextmanager
def timed(seconds: Histogram, message_type: str) -> Iterator[Timing]:
    """Observe how long the block takes, by type and by what it says that it ended with."""
    timing, began = Timing(), time.perf_counter()
    try:
        yield timing
    finally:
        took = time.perf_counter() - began
        seconds.labels(message_type, outcome(timing.error)).observe(took)


@contextmanager
def timed_together(seconds: Histogram, message_types: Sequence[str]) -> Iterator[None]:
    """Observe a block that handles several messages: each has its share of the time.

    One that raises is not counted: they are handled one by one then.
    """
    began = time.perf_counter()
    yield
    share = (time.perf_counter() - began) / max(1, len(message_types))
    for message_type, count in Counted(message_types).items():
        observed = seconds.labels(message_type, outcome(None))
        for _ in range(count):
            observed.observe(share)


def outcome(error: Exception | None) -> str:
    """Return what a message's handling ended with, as a label."""
    if error is None:
        return "ok"
    return error.code if isinstance(error, errdefs.Error) else "fault"
