"""ports.Collector over plugins' sockets."""

from __future__ import annotations

from typing import Final

from shared import errdefs
from shared.contracts.plugin import Plugin

#: The plugin has said that it is ready, so it answers at once or hangs.
_START_S: Final = 10.0
_STOP_S: Final = 2.0


class PluginCollector:
    """Calls a plugin's MetricsCollector."""

    async def start_metrics(self, plugin: Plugin) -> str:
        """Have a plugin collect; return what it says against it."""
        return await _call(plugin, "MetricsCollector.StartMetrics", _START_S)

    async def stop_metrics(self, plugin: Plugin) -> None:
        """Have a plugin stop collecting."""
        await _call(plugin, "MetricsCollector.StopMetrics", _STOP_S)


async def _call(plugin: Plugin, method: str, deadline_s: float) -> str:
    # Imported when it is needed: most nodes have no such plugin, and an HTTP client is large.
    from shared.plugin_rpc import endpoint
    from shared.plugin_rpc.answer import RemoteError
    from shared.plugin_rpc.client import PluginClient

    client = PluginClient(endpoint.managed(plugin))
    try:
        answer = await client.call(method, deadline_s=deadline_s)
    except RemoteError as error:
        return error.message
    except errdefs.InvalidArgument as error:
        return error.message  # it will never be an address
    finally:
        await client.close()
    return str(answer.get("Err") or "")
