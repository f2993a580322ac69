"""When a plugin that ended unasked is started again."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.supervision import RestartPolicy, RestartPolicyName


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """At once after the first end, then ever later up to a cap; never given up."""

    first_pause_s: float = 0.1
    factor: float = 2.0
    longest_pause_s: float = 60.0
    #: A run at least this long counts as one that lasted, and clears the count.
    lasting_run_s: float = 10.0

    def count(self, restarts: int, ran_s: float) -> int:
        """Return how many starts in a row did not last, with the run that just ended."""
        return 1 if ran_s >= self.lasting_run_s else restarts + 1

    def pause_s(self, restarts: int) -> float:
        """Return the pause before the start that follows *restarts* short runs."""
        if restarts <= 1:
            return 0.0
        exponent = min(restarts - 2, 32)  # beyond it the cap holds anyway
        return min(self.first_pause_s * self.factor**exponent, self.longest_pause_s)


def refusal(policy: RestartPolicy, *, failed: bool, restarts: int) -> str:
    """Return why a plugin is not started again after *restarts* short runs; "" when it is."""
    match policy.name:
        case RestartPolicyName.NO:
            return "its restart policy is no"
        case RestartPolicyName.ON_FAILURE if not failed:
            return f"its restart policy is {policy}, and this was no failure"
        case RestartPolicyName.ON_FAILURE if 0 < policy.maximum_retry_count < restarts:
            return f"it failed {restarts} times in a row, and its restart policy is {policy}"
    return ""
