"""How a node and its services are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """One service; what is None is not known."""

    service: str
    #: None: it runs, and nobody could be asked more.
    healthy: bool | None
    pid: int | None = None
    version: str | None = None
    started_at_ns: int | None = None
    lag: int | None = None
    pending: int | None = None
    message: str = ""

    @classmethod
    def from_json(cls, report: Mapping[str, Any]) -> Self:
        """Read the gateway's report of one service."""
        return cls(
            service=report["service"],
            healthy=report["healthy"],
            pid=report.get("pid"),
            version=report.get("version"),
            started_at_ns=report.get("started_at_ns"),
            lag=report.get("lag"),
            pending=report.get("pending"),
            message=report.get("reason", ""),
        )

    @property
    def complaint(self) -> str:
        """Name the service, and say what is wrong with it."""
        return f"{self.service}: {self.message or 'not healthy'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """What the gateway says of its node."""

    healthy: bool
    services: tuple[ServiceHealth, ...]

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        return cls(
            healthy=answer["healthy"],
            services=tuple(ServiceHealth.from_json(report) for report in answer["services"]),
        )

    @property
    def is_gateway_s_alone(self) -> bool:
        """Tell whether nothing is wrong with any service but the gateway."""
        return [s.service for s in self.services if not s.healthy] == ["gateway"]

    @property
    def complaints(self) -> str:
        """Say what is wrong with whom."""
        return "; ".join(service.complaint for service in self.services if not service.healthy)
