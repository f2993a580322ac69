"""What local volumes take, and the removal of those that nobody uses."""

from __future__ import annotations

import asyncio

import structlog

from services.volume import ports
from services.volume.domain import labels, shown
from services.volume.domain.answer import Found
from services.volume.domain.record import Kind, Operation, Unit, VolumeRecord, fact
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from services.volume.service.operations import Operations
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.volume import (
    GetUsage,
    PruneVolumes,
    UsageReport,
    VolumesPruned,
    VolumeUsage,
)
from shared.tasks.lanes import Lanes

log = structlog.get_logger()


class Space:
    """Measures and prunes local volumes; those with mount options are not ours to count."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        drivers: Drivers,
        sizes: ports.Sizes,
        operations: Operations,
        lanes: Lanes,
        clock: ports.Clock,
    ) -> None:
        self._catalog = catalog
        self._drivers = drivers
        self._sizes = sizes
        self._operations = operations
        self._lanes = lanes
        self._clock = clock
        self._is_pruning = False

    async def usage(self, _command: GetUsage, _delivery: Delivery) -> UsageReport:
        """Measure each volume."""
        plain = [record for record in self._catalog.all() if record.is_plain]
        usages = await asyncio.gather(*map(self._usage, plain))
        return UsageReport(volumes=tuple(sorted(usages, key=lambda one: one.volume.name)))

    async def prune(self, command: PruneVolumes, delivery: Delivery) -> VolumesPruned:
        """Remove what nobody uses; a repeat finds less. Raises Conflict beside another one."""
        if self._is_pruning:
            raise errdefs.Conflict("a prune operation is already running")
        self._is_pruning = True
        try:
            return await self._prune(command, delivery)
        finally:
            self._is_pruning = False

    async def _prune(self, command: PruneVolumes, delivery: Delivery) -> VolumesPruned:
        names: list[str] = []
        reclaimed = 0
        for record in self._catalog.all():
            if not _is_wanted(record, command):
                continue
            size = await self._prune_one(record, delivery)
            if size is not None:
                names.append(record.name)
                reclaimed += max(size, 0)
        done = fact("", "prune", self._clock(), reclaimed=str(reclaimed))
        position = await self._catalog.commit(Unit(facts=(done,)))
        return VolumesPruned(
            epoch=position.epoch,
            revision=position.revision,
            names=tuple(names),
            reclaimed_bytes=reclaimed,
        )

    async def _prune_one(self, record: VolumeRecord, delivery: Delivery) -> int | None:
        """Remove one volume and return what it took; None: it stays."""
        async with self._lanes.hold(record.name, delivery.deadline_ns):
            is_same = self._catalog.get(record.name) == record
            if not is_same or self._catalog.holders(record.name):
                return None
            size = await self._sizes.size_bytes(record.name)
            operation = Operation(kind=Kind.REMOVE, record=record)
            try:
                await self._operations.settle(record.name)
                await self._operations.remove(operation, self._drivers.local)
            except errdefs.Error as error:
                log.warning("volume not pruned", volume=record.name, reason=error.message)
                return None
        return size

    async def _usage(self, record: VolumeRecord) -> VolumeUsage:
        found = await self._drivers.local.get(record.name) or Found(name=record.name)
        holders = self._catalog.holders(record.name)
        size = await self._sizes.size_bytes(record.name)
        return VolumeUsage(volume=shown.volume(record, found, holders), size_bytes=size)


def _is_wanted(record: VolumeRecord, command: PruneVolumes) -> bool:
    if not record.is_plain or not labels.has_all(record.labels, command.labels):
        return False
    return not command.without_labels or not labels.has_all(record.labels, command.without_labels)
