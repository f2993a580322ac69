"""How the node is, as /wherry/v1/health shows it, answered without FastAPI.

Whoever starts a node, or watches it, asks for this and often for nothing else of /wherry/v1, and
FastAPI with all routes costs half a second of CPU and 15 MB.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.http import (
    JSON,
    Application,
    Receive,
    Response,
    Scope,
    Send,
)
from services.gateway.service.health import NodeHealth, Report
from shared.contracts.health import Check
from shared.version import VERSION

PATH: Final = "/wherry/v1/health"


class ServiceReport(BaseModel):
    """How one service is; without a *pid*, it did not answer."""

    service: str
    healthy: bool
    #: Why it is not healthy.
    reason: str = ""
    pid: int | None = None
    version: str | None = None
    started_at_ns: int | None = None
    #: Commands that wait, and those that are being worked on.
    lag: int | None = None
    pending: int | None = None
    checks: tuple[Check, ...] = ()

    @classmethod
    def of(cls, report: Report) -> ServiceReport:
        """Make it of what was found."""
        health = report.health
        if health is None:
            return cls(service=report.service, healthy=False, reason=report.reason)
        failed = [f"{check.name}: {check.message}" for check in health.checks if not check.ok]
        return cls(
            service=report.service,
            healthy=health.healthy,
            reason="; ".join(failed),
            pid=health.pid,
            version=health.version,
            started_at_ns=health.started_at_ns,
            lag=health.lag,
            pending=health.pending,
            checks=health.checks,
        )


class Health(BaseModel):
    """How the node is."""

    node: str
    version: str
    healthy: bool
    services: tuple[ServiceReport, ...]

    @property
    def status(self) -> int:
        """Return the status of the answer that shows it."""
        return 200 if self.healthy else 503


async def shown(health: NodeHealth) -> Health:
    """Ask every service how it is."""
    reports = await health.check()
    return Health(
        node=health.node,
        version=VERSION,
        healthy=all(report.is_healthy for report in reports),
        services=tuple(ServiceReport.of(report) for report in reports),
    )


class HealthFirst:
    """An ASGI application before another one, which describes the route that this answers."""

    def __init__(self, served: Application, health: NodeHealth) -> None:
        self._served = served
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if (scope["method"], scope["path"]) != ("GET", PATH):
            await self._served(scope, receive, send)
            return
        found = await shown(self._health)
        body = found.model_dump_json().encode()
        answer = Response(status=found.status, body=body, content_type=JSON)
        await send_answer(answer, receive, send)
