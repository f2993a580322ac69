"""What a plugin says it can do."""

from __future__ import annotations

from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.oci.plugin_config import PluginInterfaceType

_PREFIX = "docker"


def provides(plugin: Plugin, capability: str) -> bool:
    """Tell whether a managed plugin names the capability, in whatever version."""
    types = (plugin.config.get("Interface") or {}).get("Types") or ()
    named = {(one.prefix, one.capability) for one in map(PluginInterfaceType.parse, types)}
    return (_PREFIX, capability.lower()) in named


def require(plugin: Plugin, capability: str) -> None:
    """Raise InvalidArgument, in dockerd's words, unless the plugin names the capability."""
    if not provides(plugin, capability):
        raise errdefs.InvalidArgument(
            f'plugin does not provide "{capability.lower()}" capability',
            detail={"plugin": plugin.name},
            docker_unclassed=True,
        )
