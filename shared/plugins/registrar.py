"""A service's registrations with the store: it writes callbacks, the rest is here."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from shared import errdefs
from shared.bus.ports import CommandHandler, Delivery, Sender
from shared.contracts.capability import (
    CallHandler,
    CapabilityKey,
    Handler,
    Moment,
    RegisterHandler,
    RegisterRuntimeOption,
    RuntimeOption,
)
from shared.contracts.message import Command, Done
from shared.contracts.plugin import Plugin

log = structlog.get_logger()

#: A service that went away is waited for no longer; renewed three times as often.
_TTL_S = 60
_SEND_S, _PAUSE_S = 5.0, 1.0

Callback = Callable[[Plugin], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityHandler:
    """What a service does about the plugins of a capability."""

    key: CapabilityKey
    #: Called for each plugin that is ready; one that raises errdefs is called again later, and
    #: fails the enable that waits for it.
    started: Callback
    #: Called before a plugin is stopped, which it cannot keep from happening.
    stopping: Callback | None = None
    #: Whether enables wait.
    required: bool = False


class Registrar:
    """Registers handlers and runtime options in a service's name, and renews them."""

    def __init__(
        self,
        *,
        sender: Sender,
        service: str,
        handlers: Sequence[CapabilityHandler] = (),
        options: Sequence[RuntimeOption] = (),
        ttl_s: int = _TTL_S,
    ) -> None:
        self._sender = sender
        self._service = service
        self._handlers = {handler.key.interface: handler for handler in handlers}
        self._options = options
        self._ttl_s = ttl_s
        #: Another one after each start, so that the store tells again of what runs.
        self._process = uuid.uuid4().hex

    def commands(self) -> Mapping[type[Command[Any]], CommandHandler]:
        """Return what the service's bus has to serve for its handlers to be called."""
        return {CallHandler: self.call}

    async def run(self) -> None:
        """Register all, then renew, until cancelled."""
        while True:
            try:
                await self.register()
            except errdefs.Error as error:
                log.warning("not registered for capabilities", reason=error.message)
                await asyncio.sleep(_PAUSE_S)
            else:
                await asyncio.sleep(self._ttl_s / 3)

    async def register(self) -> None:
        """Register all once: the options first, so that no plugin is told of without them."""
        for option in self._options:
            owned = option.model_copy(update={"owner": self._service, "ttl_s": self._ttl_s})
            await self._sender.send(RegisterRuntimeOption(option=owned), timeout_s=_SEND_S)
        for handler in self._handlers.values():
            command = RegisterHandler(handler=self._described(handler), process=self._process)
            await self._sender.send(command, timeout_s=_SEND_S)

    async def call(self, command: CallHandler, _delivery: Delivery) -> Done:
        """Run the callback that the store asks for; returning acknowledges."""
        handler = self._handlers.get(command.interface)
        if handler is None:
            raise errdefs.Unimplemented(f"{self._service} does not handle {command.interface}")
        callback = handler.started if command.moment is Moment.STARTED else handler.stopping
        if callback is not None:
            await callback(command.plugin)
        return Done()

    def _described(self, handler: CapabilityHandler) -> Handler:
        return Handler(
            consumer=self._service,
            key=handler.key,
            required=handler.required,
            hears_of_stops=handler.stopping is not None,
            ttl_s=self._ttl_s,
        )
