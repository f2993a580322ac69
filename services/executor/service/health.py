"""Health checks: a loop per running container that has one."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.executor.domain import failure
from services.executor.domain.health import HealthState
from services.executor.ports import Host
from services.executor.service.watch import Held, Watch
from shared.contracts.executor import HealthCheck

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
            self.watch.spawn(held, self._check_health(held, check))

    async def _check_health(self, held: Held, check: HealthCheck) -> None:
        state = HealthState(status=held.record.health_status)
        while not held.ended.is_set():
            if not self.host.cgroups.is_frozen(held.container_id):
                state = await self._check_once(held, check, state)
            await self.host.clock.sleep(check.interval_s)

    async def _check_once(self, held: Held, check: HealthCheck, before: HealthState) -> HealthState:
        problem = await self._probe(held, check)
        after = before.after(problem, retries=check.retries)
        if after.status is not before.status and not held.ended.is_set():
            log.info(
                "health changed",
                container_id=held.container_id,
                from_state=before.status,
                to_state=after.status,
                reason=problem,
            )
            self.watch.update(held, health_status=after.status)
            await self.watch.observe(held, problem or "")
        return after

    async def _probe(self, held: Held, check: HealthCheck) -> str | None:
        if check.exec is not None:
            return await self.host.runtime.exec(
                held.container_id, check.exec, timeout_s=check.timeout_s
            )
        if check.unix_socket is not None:
            error = self.host.sockets.try_connect(held.container_id, check.unix_socket)
            socket = f"{held.record.socket_dir}/{check.unix_socket}"
            return f"dial unix {socket}: connect: {failure.reason(error)}" if error else None
        return None
