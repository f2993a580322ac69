"""What a plugin's author declares for this manager, taken in when the plugin is installed."""

from __future__ import annotations

from shared import errdefs
from shared.contracts import supervision
from shared.oci import go_json
from shared.oci.plugin_extension import KEY, PluginExtension


def parse(config: bytes) -> PluginExtension:
    """Read the declaration out of config.json; raises InvalidArgument for what can't be meant."""
    try:
        extension = PluginExtension.from_config(config)
    except go_json.GoJSONError as error:
        raise errdefs.InvalidArgument(f"failed to parse config: {error}") from error
    try:
        supervision.declared(extension)
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"failed to parse config: {KEY}: {error.message}: correct it in config.json"
        ) from error
    return extension
