"""Which of Docker's networks a plugin can have here."""

from __future__ import annotations

from typing import Final

from shared import errdefs
from shared.oci.plugin_config import PluginConfig

_BRIDGE: Final = "bridge"


def require_available(config: PluginConfig, name: str) -> None:
    """Raise Unimplemented, naming the plugin *name*, when its network does not exist here.

    dockerd takes such a plugin and gives it a network without any interface.
    """
    if config.network.type == _BRIDGE:
        raise errdefs.Unimplemented(
            f"plugin {name} asks for network bridge, which this node does not have yet: set "
            "Network.Type in its config.json to host or none",
            detail={"plugin": name, "network": _BRIDGE},
        )
