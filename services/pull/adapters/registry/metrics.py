"""What is counted of the traffic with registries."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter(
    "wherry_registry_requests",
    "Requests to registries, tries counted each; the status is 0 where nobody answered.",
    ["status"],
)
RETRIES = Counter(
    "wherry_registry_retries", "Requests that were sent again, because nobody or nonsense answered."
)
RECEIVED_BYTES = Counter(
    "wherry_registry_received_bytes", "Bytes of layers and other blobs that were downloaded."
)
SENT_BYTES = Counter("wherry_registry_sent_bytes", "Bytes of blobs that were uploaded.")
