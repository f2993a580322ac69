"""What is counted of jobs and of what they move."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

#: From a question to a registry to a pull of gigabytes.
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

JOB_SECONDS = Histogram(
    "wherry_job_duration_seconds",
    "Pulls, pushes and upgrades by kind and outcome, each attempt of a worker by itself.",
    ["kind", "outcome"],
    buckets=_BUCKETS,
)
BLOB_SECONDS = Histogram(
    "wherry_blob_duration_seconds",
    "Layers of pulls, fetched or cached, and blobs of pushes, by what became of them.",
    ["outcome"],
    buckets=_BUCKETS,
)
UNPACK_SECONDS = Histogram(
    "wherry_unpack_duration_seconds",
    "Unpacking of a layer, while it is still being fetched or after that.",
    buckets=_BUCKETS,
)
UNPACKED_BYTES = Counter("wherry_unpacked_bytes", "Bytes of files that were unpacked.")
UNPACKED_FILES = Counter("wherry_unpacked_files", "Files, folders and links that were unpacked.")
