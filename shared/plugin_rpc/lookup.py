"""Plugins by name and capability: managed ones first, then legacy ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.reference import provides
from shared.plugin_rpc import backoff, capability, endpoint
from shared.plugin_rpc.client import PluginClient
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy import LegacyPlugins


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A plugin that may be called."""

    name: str
    client: PluginClient
    #: None for a legacy plugin.
    plugin: Plugin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Finds plugins that are wished to run.

    *resolve* returns the managed plugin that a name means, or raises NotFound, or InvalidArgument
    in doubt; *managed* returns all of them.
    """

    resolve: Callable[[str], Plugin]
    managed: Callable[[], Iterable[Plugin]]
    endpoints: Endpoints
    legacy: LegacyPlugins

    async def get(self, name: str, wanted: str, *, patience_s: float = backoff.PATIENCE_S) -> Found:
        """Return the plugin of a name that provides a capability, such as `VolumeDriver`.

        A managed plugin that is disabled is not looked for among the legacy ones. Raises
        NotFound, Conflict for a disabled one, InvalidArgument for one without the capability,
        Unavailable for one that does not run just now; all with dockerd's text and status.
        """
        try:
            plugin = self.resolve(name)
        except errdefs.NotFound:
            return await self.get_legacy(name, wanted, patience_s=patience_s)
        if not plugin.enabled:
            raise errdefs.Conflict(f"plugin {name} found but disabled", detail={"plugin": name})
        capability.require(plugin, wanted)
        return self._found(plugin)

    async def get_legacy(
        self, name: str, wanted: str, *, patience_s: float = backoff.PATIENCE_S
    ) -> Found:
        """Return the legacy plugin of a name that implements a capability."""
        try:
            client = await self.legacy.get(name, wanted, patience_s=patience_s)
        except errdefs.NotFound:
            raise
        except errdefs.Error as error:
            # A new one: who waited for the same handshake got the same.
            told = {"message": f"legacy plugin: {error.message}", "docker_unclassed": True}
            raise errdefs.from_wire(error.to_wire() | told) from error
        return Found(name=name, client=client)

    def get_managed_by(self, wanted: str) -> list[Found]:
        """Return the managed plugins of a capability that are enabled and run, by name."""
        ready = (p for p in self.managed() if p.enabled and p.status.socket_dir is not None)
        fitting = [p for p in ready if provides(p, wanted)]
        return [self._found(plugin) for plugin in sorted(fitting, key=lambda p: p.name)]

    async def get_all_by(self, wanted: str) -> list[Found]:
        """Return the managed plugins of a capability, then the legacy ones."""
        legacy = await self.legacy.get_all(wanted)
        found = [Found(name=name, client=client) for name, client in legacy.items()]
        return [*self.get_managed_by(wanted), *found]

    def _found(self, plugin: Plugin) -> Found:
        client = self.endpoints.client(
            endpoint.managed(plugin), lambda: endpoint.managed(self.resolve(plugin.plugin_id))
        )
        return Found(name=plugin.name, client=client, plugin=plugin)
