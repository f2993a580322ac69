"""Whether a request that failed is worth another try, and after how long: decisions only."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from services.pull.adapters.registry.reasons import causes, wants_certificate
from services.pull.adapters.registry.redirects import BadRedirect
from services.pull.adapters.registry.settings import Limits

#: The peer is busy or broken; another try may find it well.
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_BUSY = frozenset({408, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The rules of one endpoint.

    To move on is quicker than to wait: a mirror is not asked twice, unless it asks for it itself,
    and nobody who can't be reached while there is somebody else. Who has not been reached even
    once is a wrong name more often than a registry that starts, and somebody waits to hear it.
    """

    limits: Limits
    is_mirror: bool = False
    is_last: bool = True
    jitter: Callable[[], float] = random.random

    def after_answer(self, attempt: int, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait before another try, None to take the answer as it is."""
        if status not in TRANSIENT or not self._has_more(attempt):
            return None
        if self.is_mirror and status not in _BUSY:
            return None
        asked = retry_after_s(headers.get("Retry-After", ""), datetime.now(UTC))
        if asked is None:
            return self._backoff(attempt)
        return asked if asked <= self.limits.retry_after_cap_s else None

    def after_fault(
        self, attempt: int, error: httpx.TransportError, *, was_reached: bool
    ) -> float | None:
        """Return the seconds to wait before another try, None to give up.

        *was_reached* says whether the endpoint has answered before, in the same operation.
        """
        if self.is_mirror or not self._has_more(attempt) or _is_lasting(error):
            return None
        if is_unreached(error) and not (self.is_last and was_reached):
            return None
        return self._backoff(attempt)

    def _has_more(self, attempt: int) -> bool:
        return attempt < self.limits.attempts

    def _backoff(self, attempt: int) -> float:
        """Double each time up to the cap; the jitter keeps a fleet from coming back as one."""
        longest = min(self.limits.backoff_cap_s, self.limits.backoff_base_s * 2.0 ** (attempt - 1))
        return longest * (0.5 + self.jitter() / 2)


def retry_after_s(value: str, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, section 10.2.3); None where it is neither."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def _is_lasting(error: httpx.TransportError) -> bool:
    """Say whether the next try would fail in the same way."""
    if not is_unreached(error):
        is_ours = isinstance(error, BadRedirect | httpx.LocalProtocolError)
        return is_ours or wants_certificate(error)
    return any(
        isinstance(cause, ssl.SSLError)
        or (isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN)
        for cause in causes(error)
    )


def is_unreached(error: httpx.TransportError) -> bool:
    """Say whether there was no connection at all."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
