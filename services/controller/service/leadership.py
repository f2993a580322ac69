"""Whose controller is active: one in the fleet, ours or another's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from services.controller import ports
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.domain.term import Holder, Term
from services.controller.service.catalog import Catalog
from shared import errdefs

log = structlog.get_logger()

#: Of the lease's time, how often it is renewed, or looked at.
_RENEWALS = 3


class Leadership:
    """Takes the fleet's lease when nobody has it, keeps it, and notices when it is another's.

    *activated* runs when ours becomes active, *stood_down* when it is no longer, *looked* after
    every look. One that may not lead only looks. While Redis is
    away nothing changes: nobody can act, and what was ours is taken anew once it is back. A
    controller whose copy of the rows may be old leaves the lease to others first.
    """

    def __init__(
        self,
        *,
        lease: ports.Lease,
        catalog: Catalog,
        node: str,
        ttl_s: float,
        may_lead: bool,
        has_copy: Callable[[], bool],
        activated: Callable[[], Awaitable[None]],
        stood_down: Callable[[], Awaitable[None]],
        looked: Callable[[], Awaitable[None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = lease
        self._catalog = catalog
        self._node = node
        self._ttl_s = ttl_s
        self._may_lead = may_lead
        self._has_copy = has_copy
        self._activated = activated
        self._stood_down = stood_down
        self._looked = looked
        self._monotonic = monotonic
        self._due = asyncio.Event()
        self._looking = asyncio.Lock()
        self._free_since: float | None = None
        self._looked_at = 0.0
        #: Who is active, as far as we know.
        self.holder: Holder | None = None
        self.is_active = False

    async def run(self) -> None:
        """Hold or watch the lease until cancelled."""
        while True:
            self._due.clear()
            try:
                await self.look()
            except errdefs.Unavailable as error:
                log.debug("lease not looked at", reason=error.message)
            except errdefs.Error as error:
                log.warning("lease not looked at", reason=error.message)
            try:
                async with asyncio.timeout(self._ttl_s / _RENEWALS):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def look_soon(self) -> None:
        """Look at the lease at once: Redis is there anew, and may have lost it."""
        self._due.set()

    async def confirm(self) -> None:
        """Look at the lease if it may have run out without our noticing."""
        if self._monotonic() - self._looked_at >= self._ttl_s:
            await self.look()

    async def look(self) -> None:
        """Take or renew the lease, or see whose it is."""
        async with self._looking:
            await self._look()

    async def release(self) -> None:
        """Let the lease go, for another controller to take over at once."""
        if self.is_active:
            await self._lease.release()

    async def _look(self) -> None:
        held = await self._lease.look()
        if not self._may_lead and held is not None and self._is_ours(held):
            held = None  # from before it was made a worker; it runs out
        if self._may_take(held):
            held = await self._lease.take(self._next_term(held))
        self._looked_at = self._monotonic()
        self.holder = held
        is_ours = held is not None and self._is_ours(held)
        if is_ours and not self.is_active:
            await self._begin()
            # Not before: who does not know yet what there is would deny it.
            self.is_active = True
        elif self.is_active and not is_ours:
            self.is_active = False
            log.warning("standing by", active=held.node if held else None)
            await self._stood_down()
        await self._looked()

    def _may_take(self, held: Holder | None) -> bool:
        """Tell whether to try: what is ours or our predecessor's, or nobody's for long enough."""
        if not self._may_lead:
            return False
        if held is not None:
            self._free_since = None
            return self._is_ours(held)
        if self._free_since is None:
            self._free_since = self._monotonic()
        waited_s = self._monotonic() - self._free_since
        return self.is_active or self._has_copy() or waited_s >= self._ttl_s

    def _next_term(self, held: Holder | None) -> int:
        if self.is_active and self.holder is not None and self._is_ours(self.holder):
            return self.holder.term  # renewed, or taken anew after Redis lost it
        kept = self._catalog.get(Kind.TERM, "", Term)
        return max(held.term if held else 0, kept.number if kept else 0) + 1

    def _is_ours(self, held: Holder) -> bool:
        return held.node == self._node

    async def _begin(self) -> None:
        term = self.holder.term if self.holder else 0
        entry = Entry(kind=Kind.TERM, key="", body=Term(number=term))
        await self._catalog.commit(Unit(entries=(entry,)))
        log.info("active", term=term)
        await self._activated()
