"""What lets one browser in: a key that works once, and then a pass that it keeps."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True, kw_only=True)
class Ticket:
    """A key for an address, which ends up in histories and logs, and the pass that it buys."""

    key: str = field(default_factory=secrets.token_urlsafe)
    pass_: str = field(default_factory=secrets.token_urlsafe)
    _is_used: bool = False
    _taking: Lock = field(default_factory=Lock)

    def take(self, key: str) -> bool:
        """Tell whether the key is right, the first time that it is."""
        with self._taking:
            fits = not self._is_used and hmac.compare_digest(key.encode(), self.key.encode())
            self._is_used = self._is_used or fits
            return fits

    def admits(self, shown: str) -> bool:
        """Tell whether the pass is right."""
        return hmac.compare_digest(shown.encode(), self.pass_.encode())
