"""The volumes in memory, always as the database last committed them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.volume import ports
from services.volume.domain.record import Holder, Operation, Position, Unit, VolumeRecord


class Catalog:
    """What was created here: looked up in memory, changed only through a commit."""

    def __init__(self, records: ports.Records, *, committed: Callable[[], None]) -> None:
        """Read and write *records*; call *committed* when there may be something to publish."""
        self._records = records
        self._committed = committed
        self._volumes: dict[str, VolumeRecord] = {}
        self._operations: dict[str, Operation] = {}
        #: By volume, then by owner.
        self._holders: dict[str, dict[str, Holder]] = {}
        self.position = Position(epoch="", revision=0)

    async def load(self) -> None:
        """Read the database."""
        loaded = await self._records.load()
        self.position = loaded.position
        self._volumes = {one.name: one for one in loaded.volumes}
        self._operations = {one.name: one for one in loaded.operations}
        for holder in loaded.holders:
            self._hold(holder)

    def all(self) -> tuple[VolumeRecord, ...]:
        """Return all volumes."""
        return tuple(self._volumes.values())

    def get(self, name: str) -> VolumeRecord | None:
        """Return a volume."""
        return self._volumes.get(name)

    def operation(self, name: str) -> Operation | None:
        """Return what is under way on a volume."""
        return self._operations.get(name)

    def operations(self) -> tuple[Operation, ...]:
        """Return all that is under way."""
        return tuple(self._operations.values())

    def holders(self, name: str) -> tuple[Holder, ...]:
        """Return who has a volume mounted, by owner."""
        held = self._holders.get(name, {})
        return tuple(held[owner] for owner in sorted(held))

    def all_holders(self) -> tuple[Holder, ...]:
        """Return who has which volume mounted."""
        return tuple(holder for held in self._holders.values() for holder in held.values())

    def holder(self, name: str, owner: str) -> Holder | None:
        """Return an owner's mount of a volume."""
        return self._holders.get(name, {}).get(owner)

    async def replied(self, message_id: str) -> Position | None:
        """Return what a command was already answered with."""
        return await self._records.replied(message_id)

    async def commit(self, unit: Unit) -> Position:
        """Commit a unit, then show it.

        Who is cancelled meanwhile hears of it once the commit is done, and shown: what it then
        finds here is what the database has.
        """
        committing = asyncio.create_task(self._commit(unit))
        try:
            return await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.gather(committing, return_exceptions=True)
            raise

    async def _commit(self, unit: Unit) -> Position:
        position = await self._records.commit(unit)
        if position.revision > self.position.revision:
            self.position = position
        self._show(unit)
        self._committed()
        return position

    def _show(self, unit: Unit) -> None:
        if unit.put is not None:
            self._volumes[unit.put.name] = unit.put
        if unit.drop is not None:
            self._volumes.pop(unit.drop, None)
            self._holders.pop(unit.drop, None)
        if unit.end is not None:
            self._operations.pop(unit.end, None)
        if unit.begin is not None:
            self._operations[unit.begin.name] = unit.begin
        if unit.hold is not None:
            self._hold(unit.hold)
        for one in unit.let_go:
            self._holders.get(one.name, {}).pop(one.owner, None)

    def _hold(self, holder: Holder) -> None:
        self._holders.setdefault(holder.name, {})[holder.owner] = holder
