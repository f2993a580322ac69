"""Handlers of the executor: one coroutine per message that it consumes."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from services.executor.domain import layout, signals
from services.executor.ports import Host
from services.executor.service.exec import Execs
from services.executor.service.health import HealthLoops
from services.executor.service.logs import Logs
from services.executor.service.look import Look
from services.executor.service.restore import Restorer
from services.executor.service.secrets import SecretKey
from services.executor.service.start import Starter
from services.executor.service.stop import Stopper
from services.executor.service.watch import Held, Watch
from shared import errdefs
from shared.bus.ports import Delivery, Publisher
from shared.contracts.executor import (
    CheckContainer,
    ClearLeftovers,
    Container,
    ContainerList,
    ContainerReply,
    DeleteContainer,
    DeleteLog,
    DiscardContainer,
    GetContainer,
    ListContainers,
    ReleaseNode,
    SignalContainer,
    StartContainer,
    StopContainer,
    UnmountTree,
)
from shared.contracts.message import Done

log = structlog.get_logger()

#: A command is begun within this, or there was something in its way.
_PROMPT_NS = 500_000_000


class Executor:
    """The executor's handlers, and its life from start to stop."""

    def __init__(self, host: Host, publisher: Publisher, *, log_check_interval_s: float) -> None:
        self._host = host
        self._log_check_interval_s = log_check_interval_s
        self._watch = Watch(host, publisher)
        self._health = HealthLoops(host=host, watch=self._watch)
        self._stopper = Stopper(host=host, watch=self._watch)
        self._starter = Starter(
            host=host, watch=self._watch, stopper=self._stopper, health=self._health
        )
        self._restorer = Restorer(
            host=host, watch=self._watch, stopper=self._stopper, health=self._health
        )
        self.logs = Logs(host=host, watch=self._watch)
        self.look = Look(host=host, watch=self._watch)
        self.secret_key = SecretKey(folders=host.secrets)
        self.execs = Execs(host=host, watch=self._watch)
        self._rotation: asyncio.Task[None] | None = None

    async def restore(self) -> None:
        """Take up what runs and begin to bound the logs; announce nothing yet."""
        await self._restorer.restore()
        self._rotation = asyncio.create_task(self._bound_logs(), name="bound logs")

    async def announce(self) -> None:
        """Tell all that ended and is not deleted yet, then that the executor is here.

        For the start, and for every time the bus is found again: safe to repeat.
        """
        await self._watch.announce_all()

    async def close(self) -> None:
        """Stop following; the containers go on."""
        if self._rotation is not None:
            self._rotation.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._rotation
        await self._restorer.close()
        await self.execs.close()
        await self._watch.close()

    async def start_container(self, command: StartContainer, delivery: Delivery) -> ContainerReply:
        """Start a container; a repeat finds it, by its id, and waits on until it is ready."""
        self._restorer.require_looked_at(command.container_id)
        held = await self._starter.start(command)
        if self._may_be_over(delivery):
            # Its sender may have deleted that container since: who owns it looks.
            await self._watch.observe(held)
        return self._reply(held)

    def _may_be_over(self, delivery: Delivery) -> bool:
        """Tell a repeat, and what lay so long that Redis may have forgotten that it was done."""
        sent_ns = int(delivery.stream_id.partition("-")[0]) * 10**6
        return delivery.attempt > 1 or self._host.clock.now_ns() - sent_ns > _PROMPT_NS

    async def stop_container(self, command: StopContainer, _: Delivery) -> ContainerReply:
        """Stop a container; a repeat finds it exited and answers with the same exit."""
        number = signals.number_of(command.signal)
        self._restorer.require_looked_at(command.container_id)
        held = await self._settled(command.container_id)
        if held.record.exit is None:
            await self._stopper.stop(held, number, command.grace_s)
        return self._reply(held)

    async def check_container(self, command: CheckContainer, _: Delivery) -> ContainerReply:
        """Check a running container's health another way; the same way changes nothing."""
        held = self._named(command.container_id)
        if held.record.exit is None and held.record.health != command.health:
            if command.health is not None and command.health.unix_socket is not None:
                layout.check_socket_name(command.health.unix_socket)
            self._health.change(held, command.health)
        return self._reply(held)

    async def signal_container(self, command: SignalContainer, _: Delivery) -> Done:
        """Signal a container's init process; a repeat sends the signal again."""
        number = signals.number_of(command.signal)
        held = self._named(command.container_id)
        init = held.record.init
        if init is None or not self._host.processes.send(init, number):
            raise errdefs.Conflict(
                f"container {command.container_id} has ended: there is nothing to signal",
                detail={"container_id": command.container_id},
            )
        return Done()

    async def delete_container(self, command: DeleteContainer, _: Delivery) -> Done:
        """Delete what is left of an ended container; a repeat finds nothing and succeeds."""
        layout.check_container_id(command.container_id)
        self._restorer.require_looked_at(command.container_id)
        await self._delete(command.container_id)
        return Done()

    async def _delete(self, container_id: str) -> None:
        async with self._watch.lock(container_id):
            held = self._watch.get(container_id)
            if held is not None and held.record.exit is None:
                raise errdefs.Conflict(
                    f"container {container_id} is running; stop it, then delete it",
                    detail={"container_id": container_id},
                )
            if held is not None or self._host.bundles.has(container_id):
                await self._stopper.remove(container_id)

    async def discard_container(self, command: DiscardContainer, _: Delivery) -> Done:
        """Stop a container and delete what is left of it; a repeat goes on, or finds nothing.

        One that could not be looked at yet is killed: its owner wants nothing of it any more.
        """
        number, container_id = signals.number_of(command.signal), command.container_id
        layout.check_container_id(container_id)
        with contextlib.suppress(errdefs.NotFound):
            held = await self._settled(container_id)
            if held.record.exit is None:
                await self._stopper.stop(held, number, command.grace_s)
        await self._delete(container_id)
        return Done()

    async def get_container(self, command: GetContainer, _: Delivery) -> ContainerReply:
        """Answer what is observed of one container."""
        return self._reply(self._named(command.container_id))

    async def list_containers(self, _command: ListContainers, _: Delivery) -> ContainerList:
        """Answer what is observed of all containers."""
        return ContainerList(containers=self.containers())

    def containers(self) -> tuple[Container, ...]:
        """Return what is observed of all containers."""
        return tuple(map(self._describe, self._watch.all()))

    async def delete_log(self, command: DeleteLog, _: Delivery) -> Done:
        """Delete what deleted containers left in a log; a repeat finds nothing and succeeds."""
        layout.check_log_name(command.log_name)
        await self.logs.delete(command.log_name)
        return Done()

    async def unmount_tree(self, command: UnmountTree, _: Delivery) -> Done:
        """Unmount what lies below a folder of the data root; a repeat finds nothing mounted."""
        self._host.mounts.unmount_data(command.path)
        return Done()

    async def clear_leftovers(self, command: ClearLeftovers, delivery: Delivery) -> Done:
        """Unmount below a folder, then delete a log; a repeat goes on, or finds nothing."""
        await self.unmount_tree(UnmountTree(path=command.path), delivery)
        return await self.delete_log(DeleteLog(log_name=command.log_name), delivery)

    async def release_node(self, _command: ReleaseNode, _: Delivery) -> Done:
        """Undo the node's mounts, cgroups and folders; a repeat finds them undone."""
        left = sorted(held.container_id for held in self._watch.all())
        if left:
            raise errdefs.Conflict(
                f"containers are left: {', '.join(left)}; stop and delete them first",
                detail={"container_ids": left},
            )
        for container_id in self._host.bundles.container_ids():
            self._restorer.require_looked_at(container_id)
        self._host.mounts.release_data_root()
        self._host.cgroups.remove_all()
        self._host.bundles.remove_all()
        return Done()

    def _named(self, container_id: str) -> Held:
        self._restorer.require_looked_at(container_id)
        return self._watch.named(container_id)

    async def _settled(self, container_id: str) -> Held:
        """Return the container, waiting for a start that is still creating it."""
        if self._watch.get(container_id) is None:
            async with self._watch.lock(container_id):
                return self._watch.named(container_id)
        return self._watch.named(container_id)

    async def _bound_logs(self) -> None:
        """Rotate logs that are full; looked at now and then, as every written line is an event."""
        while True:
            await self._host.clock.sleep(self._log_check_interval_s)
            for held in self._watch.all():
                # With no supervisor there is nobody to open a new file, and nobody who writes.
                is_written = held.record.exit is None and not held.record.degraded
                if is_written and self._host.logs.is_full(held.container_id):
                    self._rotate(held)

    def _rotate(self, held: Held) -> None:
        try:
            self._host.logs.rotate(held.container_id)
            self._host.supervisor.reopen_log(held.container_id)
        except OSError as error:
            log.warning("log not rotated", container_id=held.container_id, error=str(error))

    def _reply(self, held: Held) -> ContainerReply:
        return ContainerReply(container=self._describe(held))

    def _describe(self, held: Held) -> Container:
        frozen = held.record.exit is None and self._host.cgroups.is_frozen(held.container_id)
        return held.record.to_container(frozen=frozen)
