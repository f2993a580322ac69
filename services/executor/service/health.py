"""Health checks: a loop per running container that has one."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.executor.domain import failure
from services.executor.domain.health import HealthState
from services.executor.ports import Host
from services.executor.service.metrics import CHECKS, FAILED_CHECKS
from services.executor.service.watch import Held, Watch
from shared import errdefs
from shared.contracts.executor import HealthCheck, HealthStatus

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLoops:
    """Asks running containers whether they still work."""

    host: Host
    watch: Watch

    def begin(self, held: Held) -> None:
        """Check a running container from now on, if it says how."""
        check = held.record.health
        if check is not None and held.record.exit is None:
            held.checking = self.watch.spawn(held, self._check_health(held, check))

    def change(self, held: Held, check: HealthCheck | None) -> None:
        """Check a running container another way from now on, or no more."""
        if held.checking is not None:
            held.checking.cancel()
            held.checking = None
        self.watch.update(held, health=check, health_message="", health_status=_first(check))
        self.begin(held)

    async def _check_health(self, held: Held, check: HealthCheck) -> None:
        known = held.record.health_status
        state = HealthState(status=_first(check) if known is HealthStatus.NONE else known)
        while not held.ended.is_set():
            if not self.host.cgroups.is_frozen(held.container_id):
                state = await self._check_once(held, check, state)
            await self.host.clock.sleep(check.interval_s)

    async def _check_once(self, held: Held, check: HealthCheck, before: HealthState) -> HealthState:
        try:
            problem = await self._probe(held, check)
        except (errdefs.Error, OSError) as error:
            # The host's fault, such as no process left to fork: it tells nothing of the container.
            log.warning("health not checked", container_id=held.container_id, error=str(error))
            return before
        return await self._judge(held, check, before, problem)

    async def _judge(
        self, held: Held, check: HealthCheck, before: HealthState, problem: str | None
    ) -> HealthState:
        CHECKS.inc()
        if problem is not None:
            FAILED_CHECKS.inc()
        started_ns = held.record.started_at_ns or 0
        age_s = (self.host.clock.now_ns() - started_ns) / 1e9
        after = before.after(problem, check, age_s=age_s)
        if held.ended.is_set():
            return after
        if after.status is not before.status:
            log.info(
                "health changed",
                container_id=held.container_id,
                from_state=before.status,
                to_state=after.status,
                reason=problem,
            )
        if (after.status, after.message) != (before.status, before.message):
            self.watch.update(held, health_status=after.status, health_message=after.message)
            await self.watch.observe(held, after.message)
        return after

    async def _probe(self, held: Held, check: HealthCheck) -> str | None:
        if check.exec is not None:
            return await self.host.runtime.exec(
                held.container_id, check.exec, timeout_s=check.timeout_s
            )
        if check.unix_socket is None:
            return None
        if check.call is not None:
            return await self.host.sockets.call(
                held.container_id, check.unix_socket, check.call, timeout_s=check.timeout_s
            )
        error = self.host.sockets.try_connect(held.container_id, check.unix_socket)
        socket = f"{held.record.socket_dir}/{check.unix_socket}"
        return f"dial unix {socket}: connect: {failure.reason(error)}" if error else None


def _first(check: HealthCheck | None) -> HealthStatus:
    """Return what holds before the first check."""
    return HealthStatus.NONE if check is None else HealthStatus.STARTING
