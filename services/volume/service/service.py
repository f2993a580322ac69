"""The service's parts, put together on its ports."""

from __future__ import annotations

from services.volume import ports
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from services.volume.service.leases import Renewals, StoreLeases
from services.volume.service.listing import Listing
from services.volume.service.mounts import Mounts
from services.volume.service.operations import Operations
from services.volume.service.recovery import Recovery
from services.volume.service.space import Space
from services.volume.service.volumes import Volumes
from shared.bus.ports import Sender
from shared.tasks.background import Tasks
from shared.tasks.lanes import Lanes


class VolumeService:
    """Everything between the messages and the ports."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        drivers: Drivers,
        sizes: ports.Sizes,
        sender: Sender,
        clock: ports.Clock,
        boot_id: str,
    ) -> None:
        self._background = Tasks()
        self.catalog = catalog
        leases = StoreLeases(sender=sender)
        lanes = Lanes(clock, noun="volume")
        self.renewals = Renewals(
            catalog=catalog, plugins=drivers.plugins, leases=leases, lanes=lanes
        )
        self.listing = Listing(catalog=catalog, drivers=drivers)
        operations = Operations(
            catalog=catalog,
            drivers=drivers,
            leases=leases,
            clock=clock,
            left_over=lambda: self.recovery.resume(),
        )
        self.volumes = Volumes(
            catalog=catalog, drivers=drivers, operations=operations, lanes=lanes, clock=clock
        )
        self.mounts = Mounts(
            catalog=catalog,
            drivers=drivers,
            volumes=self.volumes,
            lanes=lanes,
            clock=clock,
            boot_id=boot_id,
        )
        self.space = Space(
            catalog=catalog,
            drivers=drivers,
            sizes=sizes,
            operations=operations,
            lanes=lanes,
            clock=clock,
        )
        self.recovery = Recovery(
            catalog=catalog, operations=operations, mounts=self.mounts, lanes=lanes
        )

    async def start(self) -> None:
        """Read what there is and end what a crash interrupted, in the background."""
        await self.catalog.load()
        await self.recovery.start()
        self._background.ensure("leases", self.renewals.run())

    async def close(self) -> None:
        """End the background work; what is not done is done after the next start."""
        await self._background.cancel_all()
        await self.recovery.close()
