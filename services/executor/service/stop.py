"""How a container ends when somebody wants it to, and how nothing of it is left."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

import structlog
from opentelemetry import trace

from services.executor.domain.record import Process, Record
from services.executor.ports import Host
from services.executor.service.watch import Held, Watch
from shared import errdefs
from shared.telemetry.spans import opened

tracer = trace.get_tracer(__name__)
log = structlog.get_logger()

#: How long the kernel may take to end a process after SIGKILL.
_KILL_LIMIT_S = 10.0
#: How long a supervisor may take to record an exit and end.
_RECORD_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopper:
    """Stops containers and removes what is left of them."""

    host: Host
    watch: Watch

    async def stop(self, held: Held, number: signal.Signals, grace_s: float) -> None:
        """Signal the container, wait, then kill it; returns at once when it has ended."""
        with opened(tracer, "stop container", attributes={"container.id": held.container_id}):
            await self._stop(held, number, grace_s)

    async def _stop(self, held: Held, number: signal.Signals, grace_s: float) -> None:
        await self._send(held, number)
        if await _ends_within(held, grace_s):
            return
        await self._send(held, signal.SIGKILL)
        if not await _ends_within(held, _KILL_LIMIT_S):
            raise _unkillable(held.container_id)

    async def remove(self, container_id: str) -> None:
        """Kill what still runs and remove all that is left; safe to repeat, also half-way.

        Until nothing is left it stays listed, so that who compares lists has it removed again.
        """
        held = self.watch.get(container_id)
        if held is not None:
            if not held.ended.is_set():
                await self.stop(held, signal.SIGKILL, _KILL_LIMIT_S)
            # Before anything of it goes: what is noted of it would bring its folder back.
            await self.watch.unfollow(held)
        record = held.record if held else self.host.bundles.load(container_id)
        await self.host.runtime.delete(container_id)
        await self._end_rest(container_id)
        self.host.mounts.unmount_sockets(container_id)
        self._unshare(container_id, record)
        self.host.cgroups.remove(container_id)
        if record is not None:
            await self._keep_output(record)
        # Last: as long as the folder is there, a restart knows that something may be left.
        self.host.bundles.remove(container_id)
        await self.watch.forget(container_id)

    async def _keep_output(self, record: Record) -> None:
        try:
            await asyncio.to_thread(self.host.logs.keep, record)
        except OSError as error:
            # A full disk. What is left of a container must go all the same.
            log.warning("output lost", container_id=record.container_id, error=str(error))
        # One that came and went while nobody looked is found now.
        self.watch.tell_arrival()

    async def _send(self, held: Held, number: signal.Signals) -> None:
        if held.record.init is None or held.ended.is_set():
            return
        self.host.processes.send(held.record.init, number)
        if self.host.cgroups.is_frozen(held.container_id):
            # A paused process takes no signal before it goes on, on cgroup v1 not even SIGKILL.
            await self.host.runtime.resume(held.container_id)

    def _unshare(self, container_id: str, record: Record | None) -> None:
        folder = record.propagated if record else None
        # The next container of the same thing may use it before this one is deleted.
        others = {
            held.record.propagated for held in self.watch.all() if held.container_id != container_id
        }
        if folder is not None and folder not in others:
            self.host.mounts.unshare_folder(folder)

    async def _end_rest(self, container_id: str) -> None:
        """End what a half-made container, or one in the host's pid namespace, left running."""
        for process in self.host.cgroups.processes(container_id):
            await self._kill(container_id, process)
        supervisor = self.host.supervisor.find(container_id)
        if supervisor is not None:
            try:
                # Its container is dead by now, so it has only the exit left to write.
                async with asyncio.timeout(_RECORD_LIMIT_S):
                    await self.host.processes.ended(supervisor)
            except TimeoutError:
                await self._kill(container_id, supervisor)

    async def _kill(self, container_id: str, process: Process) -> None:
        self.host.processes.send(process, signal.SIGKILL)
        try:
            async with asyncio.timeout(_KILL_LIMIT_S):
                await self.host.processes.ended(process)
        except TimeoutError as error:
            raise _unkillable(container_id) from error


def _unkillable(container_id: str) -> errdefs.Error:
    return errdefs.DeadlineExceeded(
        f"container {container_id} did not end within {_KILL_LIMIT_S:g} s of SIGKILL; "
        "a process of it hangs in the kernel, look for one in state D",
        detail={"container_id": container_id},
    )


async def _ends_within(held: Held, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await held.ended.wait()
    except TimeoutError:
        return False
    return True
