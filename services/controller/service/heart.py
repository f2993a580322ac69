"""Heartbeats of this node to the active controller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.controller import ports
from services.controller.service.leadership import Leadership
from shared import errdefs
from shared.contracts.node import Heartbeat, NodeDescription

log = structlog.get_logger()

#: Of the time that a node may be silent, how often it is heard.
_BEATS = 3
#: How often it is looked for the key of a pull service that starts.
_KEY_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Heart:
    """Says that the node is there."""

    fleet: ports.Fleet
    leadership: Leadership
    node: str
    version: str
    #: Public key of the node's pull service, in base64; empty while it has made none.
    seal_key: Callable[[], str]
    description: NodeDescription
    timeout_s: float
    _due: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._due.clear()
            has_key = bool(self.seal_key())
            await self.beat()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.timeout_s / _BEATS):
                    await (self._due.wait() if has_key else self._key_made())

    def beat_soon(self) -> None:
        """Beat at once: another controller is active."""
        self._due.set()

    async def _key_made(self) -> None:
        """Wait for the key: until it is told, nobody can seal a login to this node."""
        while not self.seal_key():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KEY_PAUSE_S):
                    await self._due.wait()
                    return

    async def beat(self) -> None:
        """Beat once; a beat that gets lost is made up by the next."""
        holder = self.leadership.holder
        if holder is None:
            return
        said = Heartbeat(
            node=self.node,
            version=self.version,
            seal_key=self.seal_key(),
            description=self.description,
        )
        try:
            await self.fleet.send(holder.node, said, timeout_s=self.timeout_s / _BEATS)
        except errdefs.Error as error:
            log.debug("heartbeat not taken", active=holder.node, reason=error.message)
