"""When health checks make a container healthy or unhealthy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.contracts.executor import HealthStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthState:
    """What the checks so far amount to."""

    status: HealthStatus = HealthStatus.NONE
    #: Failures since the last success.
    failures: int = 0

    def after(self, failure: str | None, *, retries: int) -> HealthState:
        """Return the state after one more check; *failure* is None when it succeeded."""
        if failure is None:
            return HealthState(status=HealthStatus.HEALTHY)
        failures = self.failures + 1
        status = HealthStatus.UNHEALTHY if failures >= retries else self.status
        return replace(self, status=status, failures=failures)
