"""The health of a node: every service's own report, and the reason where there is none."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.gateway import ports
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.health import Check, CheckHealth, ServiceHealth
from shared.version import VERSION

if TYPE_CHECKING:
    from services.gateway.service.authorization import Authorization

_SERVICES: Final = ("store", "volume", "executor", "pull", "controller", "event")
_ANSWER_LIMIT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One service: its report, or why there is none."""

    service: str
    health: ServiceHealth | None
    reason: str = ""

    @property
    def is_healthy(self) -> bool:
        """Say whether the service answered, and well."""
        return self.health is not None and self.health.healthy


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """Asks all services at once."""

    sender: ports.Sender
    replica: Replica
    node: str
    authorization: Authorization | None = None
    started_at_ns: int = field(default_factory=time.time_ns)

    async def check(self) -> tuple[Report, ...]:
        """Return a report for every service, the gateway first."""
        reports = (self._own(), *(self._ask(service) for service in _SERVICES))
        return tuple(await asyncio.gather(*reports))

    async def _ask(self, service: str) -> Report:
        try:
            health = await self.sender.send(CheckHealth(), owner=service, timeout_s=_ANSWER_LIMIT_S)
        except errdefs.Error as error:
            return Report(service=service, health=None, reason=error.message)
        return Report(service=service, health=health)

    async def _own(self) -> Report:
        checks = [self._replica()]
        if self.authorization is not None:
            problems = await self.authorization.problems()
            message = "; ".join(problems)
            checks.append(Check(name="authorization", ok=not problems, message=message))
        health = ServiceHealth(
            service="gateway",
            node=self.node,
            version=VERSION,
            pid=os.getpid(),
            started_at_ns=self.started_at_ns,
            healthy=all(check.ok for check in checks),
            checks=tuple(checks),
        )
        return Report(service="gateway", health=health)

    def _replica(self) -> Check:
        is_ready = self.replica.is_ready
        message = "" if is_ready else "the store has not answered yet"
        return Check(name="replica", ok=is_ready, message=message)
