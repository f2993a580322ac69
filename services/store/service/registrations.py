"""Both kinds of registrations, loaded, listed and ended together."""

from __future__ import annotations

import asyncio

from services.store import ports
from services.store.service.handlers import Handlers
from services.store.service.inventory import PluginInventory
from services.store.service.runtime_options import RuntimeOptions
from shared.bus.ports import Delivery, Sender
from shared.contracts.capability import ListRegistrations, Registrations


class Registering:
    """What services have registered for capabilities."""

    def __init__(
        self,
        *,
        records: ports.Registrations,
        inventory: PluginInventory,
        sender: Sender,
        clock: ports.Clock,
    ) -> None:
        self._records = records
        self.options = RuntimeOptions(records=records, clock=clock)
        self.handlers = Handlers(records=records, inventory=inventory, sender=sender, clock=clock)

    async def load(self) -> None:
        """Take up what was registered before."""
        registered = await self._records.load()
        self.options.load(registered.options)
        self.handlers.load(registered.handlers)

    async def list(self, _command: ListRegistrations, _delivery: Delivery) -> Registrations:
        """Return what holds, by owner."""
        return Registrations(handlers=self.handlers.all(), options=self.options.all())

    async def run(self) -> None:
        """Drop what is not renewed in time."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.options.run())
            tasks.create_task(self.handlers.run())

    async def close(self) -> None:
        """Tell no handler any more."""
        await self.handlers.close()
