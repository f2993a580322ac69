"""Deletes blobs that no plugin needs, never under the feet of who is adding one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from services.store import ports
from services.store.service.inventory import PluginInventory
from shared.bus.ports import Delivery
from shared.contracts.store import Collected, CollectGarbage

log = structlog.get_logger()


class Garbage:
    """A collector that waits for writers of blobs, and they for it."""

    def __init__(
        self, inventory: PluginInventory, content: ports.Content, clock: ports.Clock
    ) -> None:
        self._inventory = inventory
        self._content = content
        self._clock = clock
        self._writers = 0
        self._idle = asyncio.Condition()

    @asynccontextmanager
    async def kept_out(self) -> AsyncIterator[None]:
        """Keep the collector out until the caller's blobs belong to a plugin."""
        async with self._idle:
            self._writers += 1
        try:
            yield
        finally:
            async with self._idle:
                self._writers -= 1
                self._idle.notify_all()

    async def collect(self, *, dry_run: bool = False) -> tuple[ports.Blob, ...]:
        """Delete what no plugin and no job needs, once no blob is being added; say what it was."""
        async with self._idle:
            await self._idle.wait_for(lambda: not self._writers)
            gone = await self._content.sweep(self._inventory.blobs(self._clock()), dry_run=dry_run)
        if gone and not dry_run:
            log.info("blobs collected", count=len(gone), size_bytes=_size(gone))
        return gone

    async def collect_for(self, command: CollectGarbage, _delivery: Delivery) -> Collected:
        """Collect because somebody asked, and tell what went."""
        gone = await self.collect(dry_run=command.dry_run)
        return Collected(digests=tuple(blob.digest for blob in gone), size_bytes=_size(gone))


def _size(blobs: tuple[ports.Blob, ...]) -> int:
    return sum(blob.size for blob in blobs)
