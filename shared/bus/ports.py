"""What handlers see of the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from shared.contracts.message import Command, Message

R = TypeVar("R", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One arrival of a message."""

    message_id: str
    #: Where it lies in its stream, `<milliseconds or revision>-<n>`.
    stream_id: str
    #: Number of this arrival, from 1.
    attempt: int
    #: When the sender stops waiting, in nanoseconds since the epoch; None: nobody waits.
    deadline_ns: int | None
    #: Process that sent it, such as `gateway-4711-a1b2c3`.
    source: str
    correlation: str


class Sender(Protocol):
    """Sends commands and waits for their replies."""

    async def send(
        self,
        command: Command[R],
        *,
        timeout_s: float,
        owner: str | None = None,
        message_id: str | None = None,
    ) -> R:
        """Send a command to its owner and return the reply.

        Raises the owner's error as errdefs, DeadlineExceeded when *timeout_s* ran out, and
        Unavailable when the bus does not answer or lost the command. Never sends twice.
        """
        ...


class Publisher(Protocol):
    """Publishes facts on the service's own changes stream."""

    async def publish(self, message: Message, *, message_id: str | None = None) -> None:
        """Append a fact; raises Unavailable when the bus does not answer."""
        ...


#: Handles one command and returns its reply, or raises errdefs.
CommandHandler = Callable[[Any, Delivery], Awaitable[Message]]
#: Handles one fact of another service; returning means that it is settled for good.
FactHandler = Callable[[Any, Delivery], Awaitable[None]]
#: Handles facts that came together, in their order: all of them, or none when it raises.
FactsHandler = Callable[[Sequence[tuple[Any, Delivery]]], Awaitable[None]]
