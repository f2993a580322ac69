"""How often a worker renews and asks again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Pauses of a job's worker; those that grow do so up to the longest."""

    first_renewal_s: float = 2.0
    #: A wish to end the job is heard at a renewal, and somebody waits for it.
    longest_renewal_s: float = 5.0
    #: Before a store that was away is asked again; doubled each time.
    first_retry_s: float = 0.2
    longest_retry_s: float = 5.0
    #: Before the job's end is told again to a bus that was away.
    end_retry_s: float = 1.0


STEADY: Final = Pace()
