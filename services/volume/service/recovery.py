"""Ends what a crash cut short, in the background and however often that takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.volume.service.catalog import Catalog
from services.volume.service.mounts import Mounts
from services.volume.service.operations import Operations
from shared.tasks.background import Tasks, until_done
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Works in the lanes of volumes, which verbs take in between."""

    catalog: Catalog
    operations: Operations
    mounts: Mounts
    lanes: Lanes
    tasks: Tasks = field(default_factory=Tasks)

    async def start(self) -> None:
        """Begin with all that is under way; returns at once."""
        await self.mounts.forget_earlier_boots()
        self.resume()

    def resume(self) -> None:
        """Go on with what is still under way; a repeat is fine."""
        for operation in self.catalog.operations():
            self._ensure(operation.name)
        for name in {held.name for held in self.catalog.all_holders() if not held.mountpoint}:
            self._ensure(name)

    async def close(self) -> None:
        """Stop; what is not ended yet is ended after the next start."""
        await self.tasks.cancel_all()

    def _ensure(self, name: str) -> None:
        self.tasks.ensure(name, until_done(lambda: self._end(name)))

    async def _end(self, name: str) -> None:
        async with self.lanes.hold(name):
            await self.operations.settle(name)
            await self.mounts.settle(name)
