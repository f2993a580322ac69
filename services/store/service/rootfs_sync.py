"""Root file systems on their way to the disk.

A pull is answered for once its blobs and its record are on the disk; the files that were unpacked
from the blobs follow in the background. What a loss of power kept from following is made anew.
"""

from __future__ import annotations

import structlog

from services.store import ports
from services.store.domain.operation import Unsynced
from services.store.service.inventory import PluginInventory
from shared import errdefs
from shared.tasks.background import Tasks

log = structlog.get_logger()


class RootfsSync:
    """Has what was installed synced, and rebuilds what never was."""

    def __init__(self, inventory: PluginInventory, folders: ports.Folders) -> None:
        self._inventory = inventory
        self._folders = folders
        self._tasks = Tasks()
        #: That could not be rebuilt: they stay noted, for the next start to try again.
        self._broken: set[Unsynced] = set()

    def soon(self) -> None:
        """Sync what is not on the disk yet, in the background; one sync for all that wait."""
        self._tasks.ensure("sync", self._sync())

    async def recover(self, *, rebooted: bool) -> tuple[str, ...]:
        """Rebuild what a loss of power may have taken; return it as `<plugin id>/<name>`.

        To be called before the start of the host is noted: what is cut short is done again.
        """
        rebuilt = []
        for unsynced in self._inventory.unsynced():
            is_there = self._folders.is_installed(unsynced.plugin_id, unsynced.rootfs)
            if (rebooted or not is_there) and await self._rebuild(unsynced):
                rebuilt.append(f"{unsynced.plugin_id}/{unsynced.rootfs}")
        self.soon()
        return tuple(rebuilt)

    async def close(self) -> None:
        """Wait for a sync that runs."""
        await self._tasks.settled()

    async def _rebuild(self, unsynced: Unsynced) -> bool:
        plugin = self._inventory.get(unsynced.plugin_id)
        if plugin is None or plugin.rootfs != unsynced.rootfs:
            return False  # an upgrade has replaced it, and was synced itself
        try:
            await self._folders.rebuild(plugin.plugin_id, plugin.rootfs, plugin.layer_digests)
        except (errdefs.Error, OSError) as error:
            self._broken.add(unsynced)
            log.exception(
                "root file system not rebuilt after a loss of power: remove the plugin and pull "
                "it again, or mend what is said here and start the store again",
                plugin=plugin.name,
                reason=str(error),
            )
            return False
        return True

    async def _sync(self) -> None:
        waiting = [one for one in self._inventory.unsynced() if one not in self._broken]
        if not waiting:
            return
        try:
            await self._folders.sync()
            await self._inventory.synced(waiting)
        except (errdefs.Error, OSError) as error:
            log.exception(
                "root file systems may not be on the disk, tried again with the next pull and at "
                "the next start: look at the disk",
                reason=str(error),
            )
