"""Docker's pauses between tries to reach a plugin: 1, 2, 4, 8 … seconds, at most half a minute."""

from __future__ import annotations

from typing import Final

#: Docker gives up when the next pause would end later than this.
PATIENCE_S: Final = 30.0
_LONGEST_S: Final = 30.0
#: 2**5 is longer than the longest pause already.
_DOUBLINGS: Final = 5


def pause_s(retries: int) -> float:
    """Return how long to wait after so many retries."""
    return float(min(2 ** min(retries, _DOUBLINGS), _LONGEST_S))


def gives_up(elapsed_s: float, pause: float, patience_s: float = PATIENCE_S) -> bool:
    """Tell whether the next try would come too late."""
    return elapsed_s + pause >= patience_s
