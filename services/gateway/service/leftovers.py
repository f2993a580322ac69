"""What an earlier gateway left when it was killed, deleted once nobody can want it any more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from services.gateway import ports
from shared import errdefs
from shared.contracts.health import CheckHealth

_ANSWER_LIMIT_S = 2.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Bodies of requests in the spool: the store may still be about to read one."""

    sender: ports.Sender
    spool: ports.Spool
    retry_s: float = 1.0

    async def run(self) -> None:
        """Wait until the store has taken all that was sent to it, and delete what is left."""
        left = self.spool.left()
        while left and not await self._has_taken_all():  # noqa: ASYNC110 - it is asked, for nothing tells
            await asyncio.sleep(self.retry_s)
        for path in left:
            self.spool.delete(path)
            log.info("deleted a file left by an earlier gateway", path=str(path))

    async def _has_taken_all(self) -> bool:
        try:
            health = await self.sender.send(CheckHealth(), owner="store", timeout_s=_ANSWER_LIMIT_S)
        except errdefs.Error:
            return False
        return health.lag == 0 and health.pending == 0
