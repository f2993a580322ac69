"""What is counted of the programs that the executor runs."""

from __future__ import annotations

from prometheus_client import Histogram

RUNC_SECONDS = Histogram(
    "wherry_runc_duration_seconds",
    "Calls of runc until they are done; run and create are conmon's calls, and its start.",
    ["command"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
