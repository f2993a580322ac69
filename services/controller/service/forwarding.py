"""Commands reach the active controller, whichever node they were given to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from services.controller import ports
from services.controller.service.leadership import Leadership
from shared import errdefs
from shared.bus.ports import CommandHandler, Delivery
from shared.contracts.message import Message

_DEFAULT_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """Handles commands while ours is active, passes them on while it stands by."""

    leadership: Leadership
    fleet: ports.Fleet
    clock: ports.Clock
    node: str

    def active(self, handler: Callable[[Any, Delivery], Awaitable[Message]]) -> CommandHandler:
        """Return *handler* for the active controller; another hands the command to that one."""

        async def handle(command: Any, delivery: Delivery) -> Message:
            await self.leadership.confirm()
            if self.leadership.is_active:
                return await handler(command, delivery)
            return await self._forward(command, delivery)

        return handle

    async def _forward(self, command: Any, delivery: Delivery) -> Message:
        holder = self.leadership.holder
        if holder is None or holder.node == self.node:
            raise errdefs.Unavailable(
                "no controller is active yet; one will be within seconds: try again"
            )
        left_s = _DEFAULT_LIMIT_S
        if delivery.deadline_ns is not None:
            left_s = max(0.1, (delivery.deadline_ns - self.clock()) / 1e9)
        try:
            reply: Message = await self.fleet.send(
                holder.node, command, timeout_s=left_s, message_id=delivery.message_id
            )
        except errdefs.DeadlineExceeded as error:
            raise errdefs.DeadlineExceeded(
                f"the active controller, that of node {holder.node}, did not answer in time; "
                "another takes over if it is gone: look, then try again"
            ) from error
        return reply
