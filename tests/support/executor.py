"""An executor in memory: it answers the store's commands as the real one promises to."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar, cast

from shared import errdefs
from shared.contracts import executor, secret
from shared.contracts.capability import CallHandler
from shared.contracts.executor import Container, ContainerStatus, Exit
from shared.contracts.message import Command, Done, Message
from shared.contracts.sealed import Sealed, SealedSecret

R = TypeVar("R", bound=Message)


class FakeExecutor:
    """A ports.Sender that keeps containers in a dict."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self.sent: list[Command[Any]] = []
        #: Raised by the next commands of a type, instead of being carried out.
        self.refusals: dict[type[Command[Any]], errdefs.Error] = {}
        #: Set to hold back all starts until it is set.
        self.may_start = asyncio.Event()
        self.may_start.set()
        #: Cleared to hold back all that deletes.
        self.may_discard = asyncio.Event()
        self.may_discard.set()
        #: Starts that are held back until their event is set, or refused, by container.
        self.held_back: dict[str, asyncio.Event] = {}
        self.ailing: dict[str, errdefs.Error] = {}
        #: What deletions raise, by container.
        self.undeletable: dict[str, errdefs.Error] = {}
        self.released = False
        #: How often its key for secrets was rotated: a box says with which it was sealed.
        self.rotations = 0
        #: What handlers were told, and raise when they are, by their service.
        self.calls: list[tuple[str, CallHandler]] = []
        self.handler_refusals: dict[str, errdefs.Error] = {}
        self._next_pid = 1000

    async def send(
        self,
        command: Command[R],
        *,
        timeout_s: float,
        owner: str | None = None,
        message_id: str | None = None,
    ) -> R:
        """Carry out a command of the store."""
        self.sent.append(command)
        await asyncio.sleep(0)
        if isinstance(command, CallHandler):
            return cast("R", self._call(owner or "", command))
        refusal = self.refusals.get(type(command))
        if refusal is not None:
            raise refusal
        return cast("R", await self._answer(command))

    def end(self, container_id: str, exit_code: int | None = 1, at_ns: int = 0) -> None:
        """End a container as a crash would."""
        self._update(
            container_id,
            status=ContainerStatus.EXITED,
            exit=Exit(exit_code=exit_code, exited_at_ns=at_ns),
        )

    def change(self, container_id: str, **changes: Any) -> None:
        """Change what is observed of a container."""
        self._update(container_id, **changes)

    async def _answer(self, command: Command[Any]) -> Message:
        match command:
            case executor.StartContainer():
                return await self._start(command)
            case executor.StopContainer():
                self._require(command.container_id)
                self.end(command.container_id, 0)
                return self._reply(command.container_id)
            case executor.CheckContainer():
                self._require(command.container_id)
                self._check(command.container_id, command.health)
                return self._reply(command.container_id)
            case executor.DeleteContainer() | executor.DiscardContainer():
                return await self._delete(command)
            case executor.GetContainer():
                self._require(command.container_id)
                return self._reply(command.container_id)
            case executor.ListContainers():
                return executor.ContainerList(containers=tuple(self.containers.values()))
            case executor.UnmountTree() | executor.ClearLeftovers():
                return Done()
            case secret.RotateExecutorKey() | secret.ResealSecrets():
                return self._key(command)
            case executor.ReleaseNode():
                self.released = True
                return Done()
            case _:
                raise AssertionError(f"the store never sends {type(command).__name__}")

    async def _delete(self, command: executor.DeleteContainer | executor.DiscardContainer) -> Done:
        await self.may_discard.wait()
        if command.container_id in self.undeletable:
            raise self.undeletable[command.container_id]
        self.containers.pop(command.container_id, None)
        return Done()

    def _key(self, command: secret.RotateExecutorKey | secret.ResealSecrets) -> Message:
        if isinstance(command, secret.RotateExecutorKey):
            self.rotations += 1
            return Done()
        return secret.SecretsResealed(secrets=tuple(map(self._resealed, command.secrets)))

    def _resealed(self, one: SealedSecret) -> SealedSecret:
        box = f"{one.sealed.box.partition('@')[0]}@{self.rotations}"
        return one.model_copy(update={"sealed": Sealed(box=box)})

    def _check(self, container_id: str, health: executor.HealthCheck | None) -> None:
        if self.containers[container_id].health_check != health:
            first = executor.HealthStatus.NONE if health is None else executor.HealthStatus.STARTING
            self._update(container_id, health_check=health, health=first, health_message="")

    def _call(self, consumer: str, call: CallHandler) -> Done:
        if consumer in self.handler_refusals:
            raise self.handler_refusals[consumer]
        self.calls.append((consumer, call))
        return Done()

    async def _start(self, command: executor.StartContainer) -> Message:
        await self.may_start.wait()
        if command.container_id in self.held_back:
            await self.held_back[command.container_id].wait()
        if command.container_id in self.ailing:
            raise self.ailing[command.container_id]
        if command.container_id not in self.containers:
            self._next_pid += 1
            self.containers[command.container_id] = Container(
                container_id=command.container_id,
                status=ContainerStatus.RUNNING,
                pid=self._next_pid,
                started_at_ns=0,
                socket_dir=f"/run/{command.container_id}",
            )
            self._check(command.container_id, command.health)
        return self._reply(command.container_id)

    def _reply(self, container_id: str) -> Message:
        return executor.ContainerReply(container=self.containers[container_id])

    def _require(self, container_id: str) -> None:
        if container_id not in self.containers:
            raise errdefs.NotFound(f"container {container_id} not found")

    def _update(self, container_id: str, **changes: Any) -> None:
        self.containers[container_id] = self.containers[container_id].model_copy(update=changes)
