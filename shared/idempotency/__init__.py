"""A client's Idempotency-Key: one outcome for all requests that carry it, kept by the owner."""
