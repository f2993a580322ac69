"""ports.Fleet over the bus: every node on the same Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import ValidationError

from services.controller.adapters.lease import RedisLease
from services.controller.ports import Lost
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.bus.tail import Gap
from shared.contracts.job import JobEnded, JobProgress
from shared.contracts.message import Command, Message
from shared.contracts.node import RowsChanged
from shared.contracts.store import PluginChanged

log = structlog.get_logger()

R = TypeVar("R", bound=Message)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFleet:
    """Commands to, and facts from, the services of any node."""

    bus: RedisBus
    lease: RedisLease

    async def send(
        self, node: str, command: Command[R], *, timeout_s: float, message_id: str | None = None
    ) -> R:
        """Send a command to its owner on *node*, as Sender.send does."""
        return await self.bus.send(command, timeout_s=timeout_s, message_id=message_id, node=node)

    async def order(
        self, node: str, command: Command[R], *, timeout_s: float, message_id: str | None = None
    ) -> R:
        """Send as the active controller: raises Conflict, nothing sent, when we are not."""
        return await self.bus.send(
            command,
            timeout_s=timeout_s,
            message_id=message_id,
            node=node,
            fence=self.lease.fence,
        )

    async def progress(
        self, node: str, job_id: str
    ) -> AsyncGenerator[JobProgress | JobEnded, None]:
        """Yield what a job tells, from its beginning to its end."""
        told = Progress(bus=self.bus, job_id=job_id, node=node)
        async with aclosing(told.follow()) as messages:
            async for envelope, _ in messages:
                if envelope.message_type == JobEnded.TYPE:
                    yield envelope.read(JobEnded)
                else:
                    yield envelope.read(JobProgress)

    async def changes(self, node: str) -> AsyncGenerator[RowsChanged | Lost, None]:
        """Yield what the controller of *node* commits from now on; Lost comes first."""
        async with aclosing(self._tail(node, "controller", RowsChanged)) as changes:
            async for change in changes:
                yield change

    async def plugin_changes(self, node: str) -> AsyncGenerator[PluginChanged | Lost, None]:
        """Yield what the store of *node* commits from now on; Lost comes first."""
        async with aclosing(self._tail(node, "store", PluginChanged)) as changes:
            async for change in changes:
                yield change

    async def _tail(self, node: str, owner: str, model: type[M]) -> AsyncGenerator[M | Lost, None]:
        async with aclosing(self.bus.tail(owner, after="$", node=node)) as items:
            async for item in items:
                if isinstance(item, Gap):
                    yield Lost()
                    continue
                envelope, _ = item
                if envelope.message_type == model.TYPE:
                    try:
                        yield envelope.read(model)
                    except ValidationError:
                        log.exception("unreadable change", node=node, id=envelope.message_id)
                        yield Lost()
