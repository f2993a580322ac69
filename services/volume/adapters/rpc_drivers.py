"""Plugins as volume drivers: `VolumeDriver.*` over their sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from services.volume import ports
from services.volume.adapters.metrics import CALL_SECONDS
from services.volume.adapters.plugin_drivers import CallLimits
from services.volume.domain import answer
from services.volume.domain.answer import Found
from shared import errdefs
from shared.contracts import plugin as plugins
from shared.contracts.plugin import Plugin
from shared.plugin_rpc import lookup, scope
from shared.plugin_rpc.answer import RemoteError
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy import LegacyPlugins
from shared.plugin_rpc.legacy_folders import LegacyFolders
from shared.plugin_rpc.lookup import Lookup

CAPABILITY = "VolumeDriver"

log = structlog.get_logger()


class RpcDrivers:
    """Finds drivers among managed plugins and legacy ones."""

    def __init__(
        self,
        *,
        inventory: Mapping[str, Plugin],
        folders: LegacyFolders,
        plugins: Path,
        limits: CallLimits,
    ) -> None:
        """Take the managed plugins by id, kept up to date, and the folder of their files."""
        self._inventory = inventory
        self._folders = folders
        self._plugins = plugins
        self._limits = limits
        self._endpoints = Endpoints()
        self._legacy = LegacyPlugins(folders, self._endpoints)
        self._lookup = Lookup(
            resolve=self._resolve,
            managed=inventory.values,
            endpoints=self._endpoints,
            legacy=self._legacy,
        )

    async def find(self, name: str) -> ports.Driver:
        """Return the driver that a plugin is."""
        # A legacy plugin that is not there is not waited for: nothing here starts before it.
        found = await self._lookup.get(name, CAPABILITY, patience_s=0)
        return self._driver(found)

    async def all(self) -> tuple[ports.Driver, ...]:
        """Return the managed plugins that run, then the legacy ones, by name."""
        managed = self._lookup.get_managed_by(CAPABILITY)
        names = self._folders.names()
        legacy = await asyncio.gather(*map(self._legacy_or_none, names))
        found = [*managed, *filter(None, legacy)]
        return tuple(self._driver(one) for one in found)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoints.close()

    def _resolve(self, name: str) -> Plugin:
        ids = {plugin.name: plugin.plugin_id for plugin in self._inventory.values()}
        return self._inventory[plugins.resolve(name, ids, self._inventory)]

    async def _legacy_or_none(self, name: str) -> lookup.Found | None:
        try:
            async with asyncio.timeout(self._limits.list_s):
                client = await self._legacy.get(name, CAPABILITY, patience_s=0)
        except (errdefs.Error, TimeoutError) as error:
            log.info("legacy plugin passed over", plugin=name, reason=str(error))
            return None
        return lookup.Found(name=name, client=client)

    def _driver(self, found: lookup.Found) -> ports.Driver:
        home = self._plugins / found.plugin.plugin_id if found.plugin else Path("/")
        return RpcDriver(found=found, home=home, limits=self._limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcDriver:
    """ports.Driver: one plugin."""

    found: lookup.Found
    #: The folder that a managed plugin's files lie in.
    home: Path
    limits: CallLimits

    @property
    def name(self) -> str:
        """Return the plugin's full name."""
        return self.found.name

    @property
    def is_held(self) -> bool:
        """Tell whether the store keeps leases on it: not on legacy plugins."""
        return self.found.plugin is not None

    def check(self, name: str, options: Mapping[str, str]) -> None:
        """Leave it to the plugin."""

    async def scope(self) -> str:
        """Return what Capabilities say; a plugin that does not know the call is local."""
        try:
            return answer.scope(await self._call("Capabilities", {}))
        except RemoteError:
            return "local"

    async def get(self, name: str) -> Found | None:
        """Return a volume; None for any answer that shows none, as dockerd has it."""
        try:
            said = await self._call("Get", {"Name": name})
        except RemoteError:
            return None
        return None if answer.error(said) else answer.volume(said.get("Volume"))

    async def list(self) -> tuple[Found, ...]:
        """Return all volumes, with mountpoints as the host sees them."""
        said = self._checked(await self._call("List", {}))
        return tuple(self._on_host(one) for one in answer.volumes(said))

    async def create(self, name: str, options: Mapping[str, str]) -> None:
        """Have a volume made."""
        arguments = {"Name": name, "Opts": dict(options)}
        self._checked(await self._call("Create", arguments, self.limits.create_s))

    async def remove(self, name: str) -> None:
        """Have a volume deleted."""
        self._checked(await self._call("Remove", {"Name": name}))

    async def mount(self, name: str, owner: str, options: Mapping[str, str]) -> str:
        """Have a volume mounted and return where the host sees it."""
        arguments = {"Name": name, "ID": owner}
        said = self._checked(await self._call("Mount", arguments, self.limits.create_s))
        place = answer.text_of(said, "Mountpoint")
        return self._confined(place) if place else await self.path(name)

    async def unmount(self, name: str, owner: str, *, is_last: bool) -> None:
        """End an owner's mount; the plugin counts them itself."""
        self._checked(await self._call("Unmount", {"Name": name, "ID": owner}))

    async def path(self, name: str) -> str:
        """Return where the plugin says that a volume is, as the host sees it."""
        said = self._checked(await self._call("Path", {"Name": name}))
        return self._confined(answer.text_of(said, "Mountpoint"))

    async def _call(
        self, method: str, arguments: Mapping[str, Any], limit_s: float | None = None
    ) -> Mapping[str, Any]:
        deadline_s = limit_s or self.limits.call_s
        client, began, outcome = self.found.client, time.monotonic(), "ok"
        try:
            return await client.call(f"{CAPABILITY}.{method}", arguments, deadline_s=deadline_s)
        except errdefs.Error as error:
            outcome = error.code
            raise
        finally:
            took_s = time.monotonic() - began
            CALL_SECONDS.labels(self.name, method, outcome).observe(took_s)

    def _checked(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        if text := answer.error(said):
            raise errdefs.Error(text)
        return said

    def _on_host(self, found: Found) -> Found:
        if not found.mountpoint:
            return found
        place = str(scope.host_path(self.found.plugin, found.mountpoint, self.home))
        return Found(
            name=found.name,
            mountpoint=place,
            created_at_ns=found.created_at_ns,
            status=found.status,
        )

    def _confined(self, place: str) -> str:
        """Return a path on the host that no link leads out of the plugin's files."""
        if not place:
            raise errdefs.Error(f"plugin {self.name} did not say where the volume is")
        path = scope.host_path(self.found.plugin, place, self.home)
        try:
            is_inside = path.resolve().is_relative_to(self.home.resolve())
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, no path at all
            raise errdefs.Error(
                f"plugin {self.name} names {place!r}, where no volume can be: {error}"
            ) from error
        if not is_inside:
            raise errdefs.PermissionDenied(
                f"plugin {self.name} names {place}, where a link leads out of its own files"
            )
        return str(path)
