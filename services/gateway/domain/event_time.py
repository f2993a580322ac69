"""The times of GET /events: Unix seconds with an optional fraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway.domain import form
from shared import errdefs

_NS: Final = 10**9
_FRACTION_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The times that a reader asked for, in nanoseconds since the epoch; None: open."""

    since_ns: int | None = None
    until_ns: int | None = None

    @classmethod
    def parse(cls, since: str, until: str) -> Window:
        """Read both times; raises InvalidArgument in dockerd's words."""
        since_ns, until_ns = to_ns(since), to_ns(until)
        if until_ns is not None and since_ns is not None and until_ns < since_ns:
            raise errdefs.InvalidArgument(
                f"`since` time ({since}) cannot be after `until` time ({until})"
            )
        return cls(since_ns=since_ns, until_ns=until_ns)

    @property
    def is_open(self) -> bool:
        """Say whether neither time was given: only what happens from now on is asked for."""
        return self.since_ns is None and self.until_ns is None

    def is_past(self, now_ns: int) -> bool:
        """Say whether nothing that is still to happen can lie in it."""
        return self.until_ns is not None and self.until_ns < now_ns


def to_ns(value: str) -> int | None:
    """Read one time; empty and -1 mean none. Raises InvalidArgument with Go's text."""
    seconds_text, point, fraction = value.partition(".")
    if not value:
        return None
    seconds = form.to_int(seconds_text, function="ParseInt")
    nanoseconds = _fraction_ns(fraction) if point else 0
    return None if seconds == -1 else seconds * _NS + nanoseconds


def _fraction_ns(digits: str) -> int:
    # Scaled by the number of characters, as dockerd does.
    number = form.to_int(digits, function="ParseInt")
    missing = _FRACTION_DIGITS - len(digits)
    return int(number * 10.0**missing) if missing < 0 else number * int(10**missing)
