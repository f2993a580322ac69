"""What a service says of itself when asked bus.health.check."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.bus import metrics
from shared.bus.connection import DisconnectedError
from shared.bus.pending import Group
from shared.bus.ports import Delivery
from shared.bus.writer import NotSentError, Writer
from shared.contracts.health import Check, CheckHealth, ServiceHealth

#: Tells what a service needs and whether it has it.
Checks = Callable[[], Awaitable[tuple[Check, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """Handler of CheckHealth."""

    writer: Writer
    group: Group
    node: str
    service: str
    version: str
    checks: Checks | None
    started_at_ns: int = field(default_factory=time.time_ns)

    async def check_health(self, _command: CheckHealth, _arrival: Delivery) -> ServiceHealth:
        """Report; only looks, so a repeat is safe."""
        lag, pending = await self._backlog()
        checks = await self.checks() if self.checks is not None else ()
        return ServiceHealth(
            service=self.service,
            node=self.node,
            version=self.version,
            pid=os.getpid(),
            started_at_ns=self.started_at_ns,
            healthy=all(check.ok for check in checks),
            lag=lag,
            # The question itself is pending and does not count.
            pending=max(0, pending - 1),
            checks=checks,
        )

    async def measure(self) -> None:
        """Note, for the metrics, how much waits; nothing when Redis does not say."""
        try:
            lag, pending = await self._backlog(patience_s=0.5)
        except (DisconnectedError, NotSentError):
            return
        metrics.LAG.set(lag)
        metrics.PENDING.set(pending)

    async def _backlog(self, patience_s: float | None = None) -> tuple[int, int]:
        _, (length, summary) = await self.writer.call(
            ("XLEN", self.group.stream),
            ("XPENDING", self.group.stream, self.group.name),
            patience_s=patience_s,
        )
        if isinstance(length, Exception) or isinstance(summary, Exception):
            return 0, 0
        # Settled commands are deleted: what is in the stream and not pending was not read.
        return max(0, length - summary[0]), summary[0]
