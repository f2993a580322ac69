"""How long a process that ended stays down."""

from __future__ import annotations

from dataclasses import dataclass

#: Doubling further than this changes nothing: every cap is reached before.
_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses that double from the first to a cap; a run that lasted begins them anew."""

    first_s: float = 0.1
    cap_s: float = 30.0
    #: A run of this length says that what was wrong before is over.
    lasting_s: float = 60.0

    def failures(self, before: int, ran_s: float) -> int:
        """Return how many runs in a row did not last, this one included, after *before* of them."""
        return 1 if ran_s >= self.lasting_s else before + 1

    def pause_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row, one or more."""
        return min(self.cap_s, self.first_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
