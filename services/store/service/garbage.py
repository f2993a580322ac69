"""Deletes blobs that no plugin needs, never under the feet of who is adding one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from services.store import ports
from services.store.service.inventory import PluginInventory

log = structlog.get_logger()


class Garbage:
    """A collector that waits for writers of blobs, and they for it."""

    def __init__(self, inventory: PluginInventory, content: ports.Content) -> None:
        self._inventory = inventory
        self._content = content
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

    async def collect(self) -> None:
        """Delete what no plugin needs, once no blob is being added."""
        async with self._idle:
            await self._idle.wait_for(lambda: not self._writers)
            gone = await self._content.sweep(self._inventory.blobs())
        if gone:
            log.info("blobs collected", count=gone)
