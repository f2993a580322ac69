"""How a container comes to be, and to be ready; or to leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from opentelemetry import trace

from services.executor.domain import failure, layout
from services.executor.domain.record import Phase, Record
from services.executor.ports import Host
from services.executor.service.health import HealthLoops
from services.executor.service.stop import Stopper
from services.executor.service.watch import Held, Watch
from shared import errdefs
from shared.contracts.executor import HealthStatus, Ready, StartContainer
from shared.telemetry.spans import opened

#: How long a container that was not ready in time may take to end by itself.
_GRACE_S = 2.0
#: Lines of output that an error tells.
_TOLD_LINES = 10

log = structlog.get_logger()
tracer = trace.get_tracer(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Starts containers."""

    host: Host
    watch: Watch
    stopper: Stopper
    health: HealthLoops

    async def start(self, command: StartContainer) -> Held:
        """Create and start the container, or find it started, and wait until it is ready.

        Raises Conflict when the container has ended since an earlier start.
        """
        layout.check_container_id(command.container_id)
        layout.check_log_name(command.log_name)
        if command.ready is not None:
            layout.check_socket_name(command.ready.unix_socket)
        async with self.watch.lock(command.container_id):
            held = self.watch.get(command.container_id)
            if held is not None and held.record.exit is not None:
                if held.committed:
                    raise failure.already_exited(held.container_id, held.record.exit)
                held = None  # of a start whose undoing failed: it is begun anew
            if held is None or held.record.phase is not Phase.RUNNING:
                held = await self._all_or_nothing(command, held)
            return held

    async def _all_or_nothing(self, command: StartContainer, held: Held | None) -> Held:
        try:
            if held is None:
                held = await self._run(command)
            # Until it is ready, its exit is this command's to tell.
            held.committed = False
            await self._wait_ready(held, command.ready)
            with opened(tracer, "note start", attributes={"container.id": held.container_id}):
                self.watch.update(held, phase=Phase.RUNNING)
        except BaseException:
            await _unbroken(self._undo(command.container_id))
            raise
        await self.watch.commit(held)
        self.health.begin(held)
        return held

    async def _run(self, command: StartContainer) -> Held:
        container_id = command.container_id
        attributes = {"container.id": container_id}
        propagated = command.config.propagated_mount
        record = Record(
            container_id=container_id,
            socket_dir=self.host.bundles.sockets(container_id),
            health=command.health,
            health_status=HealthStatus.STARTING if command.health else HealthStatus.NONE,
            propagated=propagated.source if propagated else None,
            log_name=command.log_name,
        )
        if self.host.bundles.has(container_id):
            await self.stopper.remove(container_id)  # of a start whose undoing failed
        with opened(tracer, "prepare bundle", attributes=attributes):
            self._prepare(record, command)
        created = await self.host.supervisor.create(container_id)
        with opened(tracer, "note creation", attributes=attributes):
            record = record.model_copy(
                update={
                    "phase": Phase.STARTING,
                    "init": created.init,
                    "conmon": created.conmon,
                    "started_at_ns": self.host.clock.now_ns(),
                }
            )
            self.host.bundles.save(record)
        held = self.watch.hold(record, committed=False)
        if not created.started:
            await self.host.runtime.start(container_id)
        return held

    def _prepare(self, record: Record, command: StartContainer) -> None:
        config = command.config
        try:
            self.host.bundles.save(record)
            self.host.mounts.share_data_root()
            self.host.secrets.prepare(
                record.container_id, command.secrets, uid=config.uid, gid=config.gid
            )
            self.host.bundles.prepare(record.container_id, config)
            # Last: a start that comes late, to a plugin that was removed, makes nothing there.
            if record.propagated is not None:
                self.host.mounts.share_folder(record.propagated)
        except OSError as error:
            raise failure.not_prepared(record.container_id, error) from error

    async def _undo(self, container_id: str) -> None:
        try:
            await self.stopper.remove(container_id)
        except (errdefs.Error, OSError) as error:
            # The folder is still there: a delete, or the next start of the executor, goes on.
            log.warning("failed start not undone", container_id=container_id, error=str(error))

    async def _wait_ready(self, held: Held, ready: Ready | None) -> None:
        if ready is None:
            return
        with opened(tracer, "readiness", attributes={"container.id": held.container_id}):
            accepting = self.host.sockets.accepting(held.container_id, ready.unix_socket)
            await _first_of(accepting, held.ended.wait(), timeout_s=ready.deadline_s)
            if held.record.exit is not None:
                raise failure.ended_early(
                    held.container_id,
                    _socket(held, ready),
                    held.record.exit,
                    self._last_output(held),
                )
            # Asked once more: what is ready at the last moment is ready.
            error = self.host.sockets.try_connect(held.container_id, ready.unix_socket)
            if error != 0:
                raise await self._too_late(held, ready, error)

    async def _too_late(self, held: Held, ready: Ready, error: int) -> errdefs.Error:
        with contextlib.suppress(errdefs.DeadlineExceeded):
            await self.stopper.stop(held, signal.SIGTERM, _GRACE_S)
        return failure.not_ready(
            held.container_id,
            _socket(held, ready),
            error,
            ready.deadline_s,
            self._last_output(held),
        )

    def _last_output(self, held: Held) -> list[str]:
        return [line.text for line in self.host.logs.tail(held.container_id, _TOLD_LINES)]


def _socket(held: Held, ready: Ready) -> str:
    return f"{held.record.socket_dir}/{ready.unix_socket}"


async def _first_of(*waits: Coroutine[Any, Any, object], timeout_s: float) -> None:
    """Wait until one of them is done or the time is up, and end the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _unbroken(work: Coroutine[Any, Any, None]) -> None:
    """Finish *work* even when the one who waits for it is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
