"""Buses on a private Redis, quick ones, and the messages that tests send over them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Self

from shared.bus.redis_bus import RedisBus
from shared.bus.settings import BusSettings
from shared.contracts.message import Command, Message

NODE = "n1"
QUICK = BusSettings(
    block_s=0.1,
    group_block_s=0.1,
    answer_s=0.5,
    backoff_base_s=0.01,
    backoff_cap_s=0.05,
    patience_s=0.3,
    lease_s=0.3,
    delivery_cap=3,
    retry_base_s=0.01,
    retry_cap_s=0.05,
    close_s=1.0,
)


class Answer(Message):
    TYPE: ClassVar[str] = "desk.question.answer.v1"

    text: str


class Ask(Command[Answer]):
    TYPE: ClassVar[str] = "desk.question.ask.v1"

    text: str = ""


class Other(Command[Answer]):
    TYPE: ClassVar[str] = "desk.question.other.v1"


class Note(Message):
    TYPE: ClassVar[str] = "desk.note.taken.v1"

    number: int


class Buses:
    """Makes buses on one Redis and closes them at the end of the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[RedisBus] = []

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what was made."""
        await asyncio.gather(*(bus.close() for bus in self._made))

    def make(
        self, service: str = "desk", served_by: Mapping[str, str] | None = None, **changes: Any
    ) -> RedisBus:
        """Return a bus that is not open; *changes* are settings."""
        settings = replace(QUICK, **changes)
        bus = RedisBus(
            url=self.url, node=NODE, service=service, settings=settings, served_by=served_by
        )
        self._made.append(bus)
        return bus

    async def opened(self, service: str = "gateway", **changes: Any) -> RedisBus:
        """Return a bus that is open and connected."""
        bus = self.make(service, **changes)
        await bus.open()
        assert await bus.wait_connected(5.0)
        return bus

    async def crash(self, bus: RedisBus) -> None:
        """End a bus as a killed process would: nothing in hand is settled."""
        in_hand = [] if bus._consumer is None else list(bus._consumer._in_hand.values())
        tasks = [*bus._reading, *bus._handling, *bus._answering, *in_hand]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._made.remove(bus)
