"""The containers that are held, each followed until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from services.executor.domain.record import Process, Record
from services.executor.ports import Host
from services.executor.service import facts
from services.executor.service.facts import Facts
from shared import errdefs
from shared.bus.ports import Publisher
from shared.contracts.executor import Exit
from shared.contracts.message import Message
from shared.tasks.background import until_done
from shared.telemetry import context

log = structlog.get_logger()

#: What an exit tells of the output.
_TOLD_LINES, _TOLD_LETTERS = 10, 500
#: How long a supervisor may take to record an exit and end; one that hangs would hide a crash.
_RECORD_LIMIT_S = 5.0


@dataclass(slots=True, eq=False)
class Held:
    """A container that was created and is not deleted yet."""

    record: Record
    #: Whether its exit is published: not while the start that made it may still fail.
    committed: bool
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    #: The loop that checks its health; one of *tasks*.
    checking: asyncio.Task[None] | None = None

    @property
    def container_id(self) -> str:
        """The container's id."""
        return self.record.container_id


class Watch:
    """Knows all containers, follows their processes, publishes what becomes of them."""

    def __init__(
        self, host: Host, publisher: Publisher, *, record_limit_s: float = _RECORD_LIMIT_S
    ) -> None:
        self._host = host
        self._facts = Facts(publisher, self._of_all)
        self._record_limit_s = record_limit_s
        self._held: dict[str, Held] = {}
        #: Set, and replaced, when a container is held, or its output kept.
        self.arrival = asyncio.Event()
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def lock(self, container_id: str) -> AsyncIterator[None]:
        """Serialise what changes one container."""
        lock, users = self._locks.get(container_id, (asyncio.Lock(), 0))
        self._locks[container_id] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(container_id)
            if users > 1:
                self._locks[container_id] = (lock, users - 1)

    def get(self, container_id: str) -> Held | None:
        """Return the container if it is held."""
        return self._held.get(container_id)

    def named(self, container_id: str) -> Held:
        """Return the container; raises NotFound."""
        held = self._held.get(container_id)
        if held is None:
            raise errdefs.NotFound(
                f"container {container_id} does not exist; list the containers to see which do",
                detail={"container_id": container_id},
            )
        return held

    def all(self) -> list[Held]:
        """Return all containers."""
        return list(self._held.values())

    def hold(self, record: Record, *, committed: bool) -> Held:
        """Follow a container from now on; one whose processes are gone has ended at once."""
        held = Held(record=record, committed=committed)
        self._held[record.container_id] = held
        self.tell_arrival()
        if record.exit is not None:
            held.ended.set()
        elif not self._found_ended(held):
            for follow in (self._follow, self._watch_supervisor, self._watch_memory):
                self.spawn(held, until_done(partial(follow, held), obstacles=(OSError,)))
        return held

    def tell_arrival(self) -> None:
        """Wake who waits for another container of a log."""
        self.arrival.set()
        self.arrival = asyncio.Event()

    def spawn(self, held: Held, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task for as long as the container is held: no part of the request that began it."""
        name = f"follow {held.container_id}"
        task = asyncio.create_task(work, name=name, context=context.apart())
        held.tasks.add(task)
        task.add_done_callback(held.tasks.discard)
        task.add_done_callback(_log_failure)
        return task

    async def commit(self, held: Held) -> None:
        """Publish the container's exit from now on, also one that lies behind."""
        held.committed = True
        await self.announce(held)

    async def announce(self, held: Held) -> None:
        """Publish the exit of a container that has ended, or what is wrong with a running one."""
        fact = _told_of(held)
        if fact is not None:
            await self._facts.publish(fact)

    async def announce_all(self) -> None:
        """Publish what there is to tell of each container, then that the executor is here."""
        await self._facts.publish_all()

    async def observe(self, held: Held, message: str = "") -> None:
        """Publish a running container's health and whether its supervisor lives."""
        await self._facts.publish(facts.observed(held.record, message))

    def update(self, held: Held, **changes: Any) -> None:
        """Change what is remembered of a container, here and in its folder."""
        held.record = held.record.model_copy(update=changes)
        try:
            self._host.bundles.save(held.record)
        except OSError as error:
            # A full disk. A later executor finds all of it out again from the processes.
            log.warning("not noted", container_id=held.container_id, error=str(error))

    async def unfollow(self, held: Held) -> None:
        """Look no longer what becomes of a container; it stays listed."""
        await _cancel(held.tasks)

    async def forget(self, container_id: str) -> None:
        """Follow the container no longer, and list it no more."""
        held = self._held.pop(container_id, None)
        if held is not None:
            await self.unfollow(held)

    async def close(self) -> None:
        """Follow nothing any longer; the containers go on."""
        for container_id in list(self._held):
            await self.forget(container_id)
        await self._facts.close()

    def _found_ended(self, held: Held) -> bool:
        """Conclude a container whose processes are gone; return whether it was one."""
        record = held.record
        try:
            if any(self._is_alive(process) for process in (record.conmon, record.init)):
                return False
            self._conclude(held)
        except OSError as error:
            # No descriptor is left, say: who follows it looks again.
            log.warning("not looked at yet", container_id=held.container_id, error=str(error))
            return False
        return True

    async def _follow(self, held: Held) -> None:
        init, conmon = held.record.init, held.record.conmon
        assert init is not None
        assert conmon is not None
        await self._host.processes.ended(init)
        await self._recorded(held.container_id, conmon)
        self._conclude(held)
        if held.committed:
            await self.announce(held)

    async def _recorded(self, container_id: str, conmon: Process) -> None:
        """Return once the exit is recorded: the supervisor ends right after that."""
        try:
            async with asyncio.timeout(self._record_limit_s):
                await self._host.processes.ended(conmon)
        except TimeoutError:
            log.warning("supervisor hangs: killed", container_id=container_id, pid=conmon.pid)
            self._host.processes.send(conmon, signal.SIGKILL)

    async def _watch_supervisor(self, held: Held) -> None:
        init, conmon = held.record.init, held.record.conmon
        assert init is not None
        assert conmon is not None
        await self._host.processes.ended(conmon)
        if self._host.processes.is_alive(init):
            self.update(held, degraded=True)
            log.warning("supervisor died", container_id=held.container_id, pid=conmon.pid)
            if held.committed:
                await self.observe(held, "its supervisor died: output and exit code are lost")

    async def _watch_memory(self, held: Held) -> None:
        if not held.record.ran_out_of_memory:
            self._look_for_kills(held)
            await self._host.bundles.out_of_memory(held.container_id)
            log.warning("ran out of memory", container_id=held.container_id)
            self.update(held, ran_out_of_memory=True)
            if held.committed and held.record.exit is None:
                await self.observe(held)

    def _conclude(self, held: Held) -> None:
        bundles = self._host.bundles
        self._look_for_kills(held)
        out_of_memory = bundles.ran_out_of_memory(held.container_id)
        ended = bundles.exit_of(held.container_id) or Exit(
            exit_code=None,
            oom_killed=out_of_memory,
            exited_at_ns=self._host.clock.now_ns(),
        )
        output = self._host.logs.tail(held.container_id, _TOLD_LINES)
        told = tuple(line.text[:_TOLD_LETTERS] for line in output)
        ended = ended.model_copy(update={"last_output": told})
        self.update(held, exit=ended, ran_out_of_memory=out_of_memory)
        held.ended.set()
        log.info("container ended", container_id=held.container_id, exit_code=ended.exit_code)

    def _look_for_kills(self, held: Held) -> None:
        """See what the kernel killed before the supervisor looked, and after it had ended."""
        if self._host.cgroups.ran_out_of_memory(held.container_id):
            with contextlib.suppress(OSError):  # a full disk, or a folder that is being deleted
                self._host.bundles.note_out_of_memory(held.container_id)

    def _is_alive(self, process: Process | None) -> bool:
        return process is not None and self._host.processes.is_alive(process)

    def _of_all(self) -> Iterator[Message]:
        """Yield what there is to tell of each container when its turn comes."""
        for held in self.all():
            if (fact := _told_of(held)) is not None:
                yield fact


def _told_of(held: Held) -> Message | None:
    return facts.told_of(held.record) if held.committed else None


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    ending = [task for task in tasks if task is not asyncio.current_task()]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task failed", task=task.get_name(), exc_info=error)
