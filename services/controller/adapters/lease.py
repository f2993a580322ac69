"""ports.Lease on the fleet's Redis."""

from __future__ import annotations

import contextlib

from services.controller.domain.term import Holder
from shared import errdefs
from shared.bus import lease, names
from shared.bus.lease import Fence
from shared.bus.redis_bus import RedisBus


class RedisLease:
    """The lease under the name `controller`: what it has says who holds it, for which term.

    A controller takes it from an earlier process of its own node: that one is dead, for the
    node's lock is ours.
    """

    def __init__(self, bus: RedisBus, *, ttl_s: float) -> None:
        self._bus = bus
        self._ttl_s = ttl_s
        self._key = names.lease("controller")
        #: What holds while we hold the lease; an empty value: we never did.
        self.fence = Fence(key=self._key, value="")

    async def take(self, term: int) -> Holder:
        """Take the lease for *term* if nobody has it, renew it if we have; return who has it."""
        mine = Holder(term=term, node=self._bus.node, process=self._bus.process)
        fence = Fence(key=self._key, value=str(mine))
        wish = lease.take(fence, ttl_s=self._ttl_s, in_place_of=f" {self._bus.node} ")
        held = _holder(await self._bus.ask(wish))
        if held == mine:
            self.fence = fence
        return held or mine

    async def look(self) -> Holder | None:
        """Return who has the lease."""
        answer = await self._bus.ask(("GET", self._key))
        return _holder(answer) if answer is not None else None

    async def release(self) -> None:
        """Let the lease go if we have it; it runs out by itself when Redis does not answer."""
        with contextlib.suppress(errdefs.Unavailable):
            await self._bus.ask(lease.release(self.fence))


def _holder(answer: object) -> Holder | None:
    return Holder.parse(answer.decode()) if isinstance(answer, bytes) else None
