"""Which units start before the others, and when those may follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: However long the first ones take, the others wait no longer.
_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadStart:
    """Starting costs CPU alone: those that start together wait for one another's imports."""

    names: frozenset[str] = frozenset()
    #: Tells whether the first ones do their work.
    is_used: Callable[[], bool] = lambda: True

    def is_over(self, lasted_s: float) -> bool:
        """Tell whether the others may start, so long after the last of the first did."""
        return lasted_s >= _LIMIT_S or self.is_used()
