"""Leases: what is in hand is kept, what nobody attends to is taken over."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import structlog
from redis.exceptions import ResponseError

from shared.bus.connection import DisconnectedError, Words, is_groupless
from shared.bus.pending import Claimed, Group
from shared.bus.writer import NotSentError, Writer

log = structlog.get_logger()


class Work(Protocol):
    """Whose leases are kept."""

    @property
    def in_hand(self) -> list[str]:
        """Return the ids of the entries that are being handled."""
        ...

    @property
    def free(self) -> int:
        """Return how many more entries may be taken."""
        ...

    def start(self, claimed: Claimed) -> None:
        """Begin to handle an entry, unless it is in hand."""
        ...


class Reaper:
    """Renews what is in hand three times a lease and claims what lay untouched for a whole one."""

    def __init__(self, *, writer: Writer, group: Group, work: Work) -> None:
        self._writer = writer
        self._group = group
        self._work = work

    async def run(self, lease_s: float) -> None:
        """Do so until cancelled."""
        while True:
            await asyncio.sleep(lease_s / 3)
            try:
                await self._renew()
                await self._take_over(lease_s)
            except (DisconnectedError, NotSentError) as error:
                log.debug("leases not renewed", error=str(error))
            except ResponseError as error:
                # The reader makes a lost group anew.
                if not is_groupless(error):
                    log.exception("leases not renewed")

    async def _renew(self) -> None:
        stream_ids = self._work.in_hand
        if stream_ids:
            await self._call(self._group.renew(stream_ids))

    async def _take_over(self, lease_s: float) -> None:
        after: str | None = None
        while self._work.free > 0:
            page = await self._group.claim(
                self._call,
                count=self._work.free,
                after=after,
                idle_s=lease_s,
                in_hand=self._work.in_hand,
            )
            for claimed in page.claimed:
                self._work.start(claimed)
            if page.after is None:
                return
            after = page.after

    async def _call(self, *commands: Words) -> list[Any]:
        return (await self._writer.call(*commands))[1]
