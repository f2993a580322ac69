"""What calls of volume plugins take, as metrics."""

from __future__ import annotations

from prometheus_client import Histogram

CALL_SECONDS = Histogram(
    "wherry_volume_call_duration_seconds",
    "Calls of volume plugins, by method and by how they ended.",
    ["plugin", "method", "outcome"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 120),
)
