"""Secrets sealed to the one process that will use them, and bound to what they are for."""

from __future__ import annotations

from shared.sealing.box import Opener, new_key, public_bytes, seal
from shared.sealing.keys import load_or_make_key, read_public_key

__all__ = ["Opener", "load_or_make_key", "new_key", "public_bytes", "read_public_key", "seal"]
