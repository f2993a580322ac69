"""Plugins as volume drivers; what calls them is imported when there is one to call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.volume import ports
from services.volume.domain import lease
from shared.bus.ports import Sender
from shared.contracts.plugin import Plugin
from shared.contracts.reference import provides
from shared.contracts.store import GetInventory
from shared.plugin_rpc.legacy_folders import LegacyFolders

if TYPE_CHECKING:
    from services.volume.adapters.rpc_drivers import RpcDrivers

_SNAPSHOT_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Seconds that a plugin has for a call."""

    #: To create and to mount.
    create_s: float
    call_s: float
    #: To say what it is, where all are asked.
    list_s: float


class LatePluginDrivers:
    """ports.PluginDrivers: the inventory is the store's, asked for anew each time.

    Without a plugin to call, the HTTP client's ten megabytes are not spent.
    """

    def __init__(
        self, *, sender: Sender, folders: LegacyFolders, plugins: Path, limits: CallLimits
    ) -> None:
        """Name the folder that managed plugins' files lie in as *plugins*."""
        self._sender = sender
        self._folders = folders
        self._plugins = plugins
        self._limits = limits
        #: As the store said last, by id; followed from the first question on.
        self._inventory: dict[str, Plugin] = {}
        self._is_followed = False
        self._rpc: RpcDrivers | None = None
        self._making = asyncio.Lock()

    async def find(self, name: str) -> ports.Driver:
        """Return the driver that a plugin is."""
        await self._ask_store()
        return await (await self._drivers()).find(name)

    async def all(self) -> tuple[ports.Driver, ...]:
        """Return the managed plugins that run, then the legacy ones, by name."""
        await self._ask_store()
        if self._rpc is None and not self._has_any():
            return ()
        return await (await self._drivers()).all()

    def changed(self, plugin_id: str, plugin: Plugin | None) -> None:
        """Note a plugin's new record, unless no plugin was asked for yet."""
        if not self._is_followed:
            return
        if plugin is None:
            self._inventory.pop(plugin_id, None)
        else:
            self._inventory[plugin_id] = plugin

    async def close(self) -> None:
        """Close the connections."""
        if self._rpc is not None:
            await self._rpc.close()

    async def _ask_store(self) -> None:
        self._is_followed = True
        said = await self._sender.send(GetInventory(), timeout_s=_SNAPSHOT_LIMIT_S)
        self._inventory.clear()
        self._inventory.update({plugin.plugin_id: plugin for plugin in said.plugins})

    def _has_any(self) -> bool:
        known = self._inventory.values()
        managed = (p for p in known if p.enabled and provides(p, lease.CAPABILITY))
        return any(managed) or bool(self._folders.names())

    async def _drivers(self) -> RpcDrivers:
        async with self._making:
            if self._rpc is None:
                self._rpc = await asyncio.to_thread(self._make)
            return self._rpc

    def _make(self) -> RpcDrivers:
        from services.volume.adapters.rpc_drivers import RpcDrivers

        return RpcDrivers(
            inventory=self._inventory,
            folders=self._folders,
            plugins=self._plugins,
            limits=self._limits,
        )
