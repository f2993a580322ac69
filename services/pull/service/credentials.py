"""Sealed credentials, opened for as long as they are used."""

from __future__ import annotations

import json
from typing import Any

from shared import errdefs
from shared.contracts.job import Sealed
from shared.sealing import Opener


def open_auth(opener: Opener, sealed: Sealed | None, subject: str) -> dict[str, Any]:
    """Return Docker's AuthConfig, empty for anonymous; raises InvalidArgument."""
    if sealed is None:
        return {}
    plain = opener.open(sealed, subject)
    try:
        auth = json.loads(plain)
    except ValueError:
        auth = None
    if not isinstance(auth, dict):
        # Never `from error`: a parser's error quotes what it read.
        raise errdefs.InvalidArgument("the credentials are not a JSON object: log in again")
    return auth
