"""Secrets sealed to the one process that will use them, and bound to what they are for."""

from __future__ import annotations

from shared.sealing.box import Opener, new_key, public_bytes, seal
from shared.sealing.keys import (
    CREDENTIALS,
    SECRETS,
    NodeOpener,
    load_keys,
    load_or_make_key,
    read_public_key,
    rotate_key,
)

__all__ = [
    "CREDENTIALS",
    "SECRETS",
    "NodeOpener",
    "Opener",
    "load_keys",
    "load_or_make_key",
    "new_key",
    "public_bytes",
    "read_public_key",
    "rotate_key",
    "seal",
]
