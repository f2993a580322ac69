"""Which job a request is: one of its own, or the one that its idempotency key stands for."""

from __future__ import annotations

import secrets

from shared.idempotency.key import current

_ID_BYTES = 16


def new_id() -> str:
    """Return the id of a new job; a request with the same key gets the same id."""
    key = current()
    return secrets.token_hex(_ID_BYTES) if key is None else key.digest("job")[: 2 * _ID_BYTES]
