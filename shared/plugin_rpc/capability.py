"""What a plugin must be able to do."""

from __future__ import annotations

from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.reference import provides


def require(plugin: Plugin, capability: str) -> None:
    """Raise InvalidArgument, in dockerd's words, unless the plugin names the capability."""
    if not provides(plugin, capability):
        raise errdefs.InvalidArgument(
            f'plugin does not provide "{capability.lower()}" capability',
            detail={"plugin": plugin.name},
            docker_unclassed=True,
        )
