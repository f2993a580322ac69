"""What is counted of the feed."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("engine_daemon_events", "The number of events logged")
LAST_SEQ = Gauge("wherry_event_last_seq", "The newest number of the feed that this process wrote.")
LAG_SECONDS = Histogram(
    "wherry_event_lag_seconds",
    "From something's happening until its event was on disk.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)
LOST = Counter("wherry_event_gaps", "Holes in the feed: events that the store no longer had.")
