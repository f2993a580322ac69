"""Stand-ins for the bus: they answer from a table and keep what they were given."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from shared.bus.ports import Delivery
from shared.contracts.message import Command, Message

R = TypeVar("R", bound=Message)

#: A reply, an error to raise, or a function (plain or async) of the command that gives either.
Answer = Message | Exception | Callable[[Any], Message | Exception | Awaitable[Message]]


async def answered(given: Answer, command: Command[R]) -> R:
    """Return what a command is to be answered with, or raise it."""
    answer: Any = given
    if callable(answer):
        answer = answer(command)
    if inspect.isawaitable(answer):
        answer = await answer
    if isinstance(answer, Exception):
        raise answer
    return cast("R", answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One call of send."""

    command: Command[Any]
    timeout_s: float
    owner: str | None
    message_id: str | None


class FakeSender:
    """A ports.Sender whose *answers* map a command's type to what is answered."""

    def __init__(self, answers: Mapping[type[Command[Any]], Answer] | None = None) -> None:
        self.answers: dict[type[Command[Any]], Answer] = dict(answers or {})
        self.calls: list[Sent] = []

    @property
    def sent(self) -> list[Command[Any]]:
        """Return the commands that were sent, oldest first."""
        return [call.command for call in self.calls]

    async def send(
        self,
        command: Command[R],
        *,
        timeout_s: float,
        owner: str | None = None,
        message_id: str | None = None,
    ) -> R:
        """Answer from the table; a command that is not in it fails the test."""
        self.calls.append(
            Sent(command=command, timeout_s=timeout_s, owner=owner, message_id=message_id)
        )
        if type(command) not in self.answers:
            raise AssertionError(f"FakeSender has no answer for {type(command).__name__}")
        return await answered(self.answers[type(command)], command)


class FakePublisher:
    """A ports.Publisher that keeps what was published; *error*, when set, is raised instead."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.message_ids: list[str | None] = []
        self.error: Exception | None = None

    async def publish(self, message: Message, *, message_id: str | None = None) -> None:
        """Keep the fact."""
        if self.error is not None:
            raise self.error
        self.published.append(message)
        self.message_ids.append(message_id)


def delivery(
    *,
    message_id: str = "message-1",
    stream_id: str = "",
    attempt: int = 1,
    deadline_ns: int | None = None,
    source: str = "test-1-abcdef",
    correlation: str = "correlation-1",
) -> Delivery:
    """Make a delivery for a handler under test."""
    return Delivery(
        message_id=message_id,
        stream_id=stream_id or f"{time.time_ns() // 10**6}-0",
        attempt=attempt,
        deadline_ns=deadline_ns,
        source=source,
        correlation=correlation,
    )
