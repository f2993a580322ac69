"""The read replica: the store's inventory, followed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from opentelemetry import trace

from services.gateway import ports
from services.gateway.domain.inventory import Inventory
from shared import errdefs
from shared.contracts.store import Changed, GetInventory, PluginChanged
from shared.telemetry.spans import opened

_SNAPSHOT_LIMIT_S: Final = 5.0

log = structlog.get_logger()
_tracer = trace.get_tracer("wherry.gateway")


class Replica:
    """Keeps an Inventory up to date and lets requests wait until it has got somewhere.

    The stream says what changes; a snapshot is taken at the start and whenever the stream may
    have lost something: a gap, another epoch, a new connection. Requests wait for it no longer
    than *patience_s*.
    """

    def __init__(
        self,
        *,
        sender: ports.Sender,
        changes: ports.Changes,
        patience_s: float = 5.0,
        retry_s: float = 1.0,
    ) -> None:
        self._sender = sender
        self._changes = changes
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._inventory = Inventory()
        self._moved = asyncio.Event()
        #: The stream begins by saying that something was lost, so it gets set then.
        self._is_stale = asyncio.Event()

    @property
    def inventory(self) -> Inventory:
        """Return the picture as it is now, which may be empty before the first snapshot."""
        return self._inventory

    @property
    def is_ready(self) -> bool:
        """Say whether there has been a snapshot."""
        return bool(self._inventory.epoch)

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._refresh_when_stale())

    async def refresh_soon(self) -> None:
        """Have a new snapshot taken."""
        self._is_stale.set()

    async def ready(self) -> Inventory:
        """Return the picture; raises Unavailable when the store has not answered for a while."""
        if not self.is_ready:
            await self._until(lambda: self.is_ready)
        return self.require_ready()

    def require_ready(self) -> Inventory:
        """Return the picture; raises Unavailable before the first snapshot."""
        if not self.is_ready:
            raise errdefs.Unavailable(
                "the list of plugins is not known yet, because the store has not answered; "
                "it may be starting: try again, or look at /wherry/v1/health"
            )
        return self._inventory

    async def until(self, is_true: Callable[[Inventory], bool], limit_s: float) -> None:
        """Return once it holds of the picture, or when the time has run out."""
        await self._until(lambda: is_true(self._inventory), limit_s)

    async def settle(self, reply: Changed) -> None:
        """Take in what a verb has changed, and return when its revision is part of the picture."""
        for change in reply.changes:
            self._apply(change)
        if not self._has(reply):
            with opened(_tracer, "await changes"):
                await self._catch_up_with(reply)

    async def _catch_up_with(self, reply: Changed) -> None:
        if reply.epoch != self._inventory.epoch:
            self._is_stale.set()
        if not await self._until(lambda: self._has(reply)):
            # The verb itself has succeeded, and the client must not hear otherwise.
            log.warning("replica is behind a reply", epoch=reply.epoch, revision=reply.revision)

    async def catch_up(self) -> None:
        """Take in all that is committed at this moment, if the store answers."""
        try:
            await self._take_snapshot()
        except errdefs.Error as error:
            log.warning("replica may be behind", error=error.message)
            self._is_stale.set()

    def _has(self, reply: Changed) -> bool:
        return self._inventory.contains(reply.epoch, reply.revision)

    async def _follow(self) -> None:
        async for message in self._changes.tail():
            match message:
                case PluginChanged():
                    self._apply(message)
                    if not self._is_in_step(message):
                        self._is_stale.set()
                case ports.Lost():
                    self._is_stale.set()

    def _is_in_step(self, change: PluginChanged) -> bool:
        inventory = self._inventory
        return change.epoch == inventory.epoch and change.revision <= inventory.revision

    def _apply(self, change: PluginChanged) -> None:
        self._inventory.apply(change)
        self._wake()

    async def _refresh_when_stale(self) -> None:
        while True:
            await self._is_stale.wait()
            self._is_stale.clear()
            try:
                await self._take_snapshot()
            except errdefs.Error as error:
                log.warning("no snapshot of the inventory, trying on", error=error.message)
                self._is_stale.set()
                # The store is asked, for nothing says when it will answer again.
                await asyncio.sleep(self._retry_s)

    async def _take_snapshot(self) -> None:
        snapshot = await self._sender.send(GetInventory(), timeout_s=_SNAPSHOT_LIMIT_S)
        self._inventory.take(snapshot)
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _until(self, is_true: Callable[[], bool], limit_s: float | None = None) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s if limit_s is None else limit_s):
                while not is_true():
                    await self._moved.wait()
        return is_true()
