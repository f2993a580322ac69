"""What is counted of a database."""

from __future__ import annotations

from prometheus_client import Histogram

TRANSACTION_SECONDS = Histogram(
    "wherry_database_transaction_duration_seconds",
    "Transactions that write, from their being asked for until they are on disk.",
    ["database"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
