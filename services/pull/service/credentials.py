"""Sealed credentials, opened for as long as they are used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import Sealed
from shared.contracts.message import Done
from shared.contracts.secret import RotateCredentialKey
from shared.sealing import NodeOpener, Opener


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialKey:
    """The handler of a rotation."""

    opener: NodeOpener

    async def rotate(self, _command: RotateCredentialKey, _delivery: Delivery) -> Done:
        """Take a new key; a repeat takes another, and the one before it still opens."""
        self.opener.rotate()
        return Done()
