"""What every verb passes: the replies already given, and whether the node still takes orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.bus.ports import CommandHandler, Delivery
from shared.contracts.message import Message
from shared.contracts.store import Changed

Verb = Callable[[Any, Delivery], Awaitable[Changed]]


class Gate:
    """Lets a verb through once per message id."""

    def __init__(self, inventory: PluginInventory) -> None:
        self._inventory = inventory
        self._closed_because = ""

    def close(self, because: str) -> None:
        """Refuse all verbs from now on, saying why."""
        self._closed_because = because

    def guard(self, verb: Verb) -> CommandHandler:
        """Return *verb* made safe against redelivery: a second arrival gets the first reply."""

        async def guarded(command: Any, delivery: Delivery) -> Changed:
            replied = await self._inventory.replied(delivery.message_id)
            if replied is not None:
                return replied
            if self._closed_because:
                raise errdefs.Unavailable(self._closed_because)
            try:
                return await verb(command, delivery)
            except errdefs.Error:
                # While it waited, recovery may have ended what its first arrival had begun.
                replied = await self._inventory.replied(delivery.message_id)
                if replied is None:
                    raise
                return replied

        return guarded

    def open_only(self, handler: CommandHandler) -> CommandHandler:
        """Return *handler*, refused while the node takes no orders; repeats are its own to see."""

        async def admitted(command: Any, delivery: Delivery) -> Message:
            if self._closed_because:
                raise errdefs.Unavailable(self._closed_because)
            return await handler(command, delivery)

        return admitted
