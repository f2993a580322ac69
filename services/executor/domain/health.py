"""When health checks make a container healthy or unhealthy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.contracts.executor import HealthCheck, HealthStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthState:
    """What the checks so far amount to."""

    status: HealthStatus = HealthStatus.NONE
    #: Failures since the last success.
    failures: int = 0
    #: What the last check failed with.
    message: str = ""

    def after(self, failure: str | None, check: HealthCheck, *, age_s: float) -> HealthState:
        """Return the state after one more check; *failure* is None when it succeeded.

        *age_s* is how long the container runs.
        """
        if failure is None:
            return HealthState(status=HealthStatus.HEALTHY)
        if self.status is HealthStatus.STARTING and age_s < check.start_period_s:
            return replace(self, message=failure)
        failures = self.failures + 1
        status = HealthStatus.UNHEALTHY if failures >= check.retries else self.status
        return HealthState(status=status, failures=failures, message=failure)
