"""What is counted of health checks, under dockerd's names."""

from __future__ import annotations

from prometheus_client import Counter

CHECKS = Counter("engine_daemon_health_checks", "The total number of health checks")
FAILED_CHECKS = Counter(
    "engine_daemon_health_checks_failed", "The total number of failed health checks"
)
