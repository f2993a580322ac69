"""The owner's side: a command that answers to a key is carried out once, and answered the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared import errdefs
from shared.bus.ports import CommandHandler, Delivery
from shared.contracts.message import Command, Message
from shared.idempotency.key import PREFIX
from shared.tasks.lanes import Lanes

#: Refusals that say something of the request; the others say something of the moment.
_FINAL: Final = (
    errdefs.AlreadyExists,
    errdefs.Conflict,
    errdefs.InvalidArgument,
    errdefs.NotFound,
    errdefs.PermissionDenied,
    errdefs.Unauthenticated,
    errdefs.Unimplemented,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the first command of a key."""

    #: Stands for what was asked.
    asked: str
    #: JSON of the reply, or of the error; both empty while it is not known.
    reply: str = ""
    error: Mapping[str, Any] | None = None


class Outcomes(Protocol):
    """Where outcomes are kept for a day, on disk before a method returns."""

    async def begin(self, message_id: str, asked: str) -> Outcome:
        """Note what is asked, unless something was before; return what is there."""
        ...

    async def end(self, message_id: str, outcome: Outcome) -> None:
        """Write the outcome down."""
        ...


class Once:
    """Wraps handlers; what they do must be safe to repeat with the same message id.

    So a crash between an effect and its outcome changes nothing: the repeat is given to the
    handler again, which finds its first reply by the id, or what it did.
    """

    def __init__(self, outcomes: Outcomes, clock: Callable[[], int]) -> None:
        self._outcomes = outcomes
        self._lanes = Lanes(clock, noun="Idempotency-Key")

    def all(
        self, handlers: Mapping[type[Command[Any]], CommandHandler]
    ) -> dict[type[Command[Any]], CommandHandler]:
        """Return the handlers, wrapped."""
        return {model: self.wrap(handler) for model, handler in handlers.items()}

    def wrap(self, handler: CommandHandler) -> CommandHandler:
        """Return a handler that answers a repeat as it did the first; without a key, unchanged."""

        async def once(command: Any, delivery: Delivery) -> Message:
            if not delivery.message_id.startswith(PREFIX):
                return await handler(command, delivery)
            async with self._lanes.hold(delivery.message_id, delivery.deadline_ns):
                return await self._once(handler, command, delivery)

        return once

    async def _once(
        self, handler: CommandHandler, command: Command[Any], delivery: Delivery
    ) -> Message:
        asked = _digest(command)
        known = await self._outcomes.begin(delivery.message_id, asked)
        if known.asked != asked:
            raise errdefs.Conflict(
                "this Idempotency-Key was used with another body: repeat that request, or use "
                "another key for this one"
            )
        if known.error is not None:
            raise errdefs.from_wire(known.error)
        if known.reply:
            reply: Message = command.reply_type().model_validate_json(known.reply)
            return reply
        return await self._first(handler, command, delivery, known)

    async def _first(
        self, handler: CommandHandler, command: Command[Any], delivery: Delivery, begun: Outcome
    ) -> Message:
        try:
            reply = await handler(command, delivery)
        except _FINAL as error:
            refused = Outcome(asked=begun.asked, error=error.to_wire())
            await self._outcomes.end(delivery.message_id, refused)
            raise
        done = Outcome(asked=begun.asked, reply=reply.model_dump_json())
        await self._outcomes.end(delivery.message_id, done)
        return reply


def _digest(command: Command[Any]) -> str:
    return hashlib.sha256(f"{command.TYPE}\0{command.model_dump_json()}".encode()).hexdigest()
