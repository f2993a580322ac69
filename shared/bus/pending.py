"""What a group has read and not settled: looked at, claimed, renewed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from shared.bus.connection import Words
from shared.bus.envelope import Entry, entries

#: Sends commands and returns their raw answers.
Call = Callable[..., Awaitable[list[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An entry that is ours to handle."""

    entry: Entry
    #: Number of this delivery, from 1.
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A piece of the pending list."""

    claimed: tuple[Claimed, ...]
    #: Where the next page begins; None: this was the last.
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A consumer group with its one consumer, which bears the service's name."""

    stream: str
    name: str

    def read(self, *, count: int, block_s: float) -> Words:
        """Return the command that reads what nobody has read."""
        head = ("XREADGROUP", "GROUP", self.name, self.name, "COUNT", count)
        return (*head, "BLOCK", max(1, int(block_s * 1000)), "STREAMS", self.stream, ">")

    def renew(self, stream_ids: Collection[str]) -> Words:
        """Return the command that marks entries as attended to, now."""
        return ("XCLAIM", self.stream, self.name, self.name, 0, *stream_ids, "JUSTID")

    def settled(self, stream_ids: Collection[str]) -> Words:
        """Return the command that takes entries off the pending list."""
        return ("XACK", self.stream, self.name, *stream_ids)

    async def claim(
        self,
        call: Call,
        *,
        count: int,
        after: str | None = None,
        idle_s: float | None = None,
        in_hand: Collection[str] = (),
    ) -> Page:
        """Claim a page of entries that are pending here, or with anybody for *idle_s*.

        The list is looked at before it is claimed (not XAUTOCLAIM): claiming counts as a
        delivery, which those in hand are not to suffer, and the count is needed anyway.
        """
        look: list[str | int] = ["XPENDING", self.stream, self.name]
        look += [] if idle_s is None else ["IDLE", int(idle_s * 1000)]
        look += [f"({after}" if after else "-", "+", count]
        look += [self.name] if idle_s is None else []
        (rows,) = await call(look)
        if isinstance(rows, Exception):
            raise rows
        if not rows:
            return Page(claimed=(), after=None)
        attempts = {row[0].decode(): row[3] + 1 for row in rows}
        wanted = [stream_id for stream_id in attempts if stream_id not in in_hand]
        claimed = await self._claim(call, wanted, idle_s) if wanted else []
        return Page(
            claimed=tuple(Claimed(entry=e, attempt=attempts[e.stream_id]) for e in claimed),
            after=rows[-1][0].decode(),
        )

    async def _claim(self, call: Call, stream_ids: list[str], idle_s: float | None) -> list[Entry]:
        idle_ms = int((idle_s or 0) * 1000)
        (raw,) = await call(("XCLAIM", self.stream, self.name, self.name, idle_ms, *stream_ids))
        if isinstance(raw, Exception):
            raise raw
        # An entry that was trimmed while it was pending is not returned, and off the list now.
        return [entry for entry in entries(raw) if entry.fields is not None]
