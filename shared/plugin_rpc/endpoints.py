"""One client, and so one breaker, for each plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.plugin_rpc.client import PluginClient
from shared.plugin_rpc.endpoint import Endpoint


class Endpoints:
    """Keeps clients by the plugin's name, for as long as the plugin stays where it is."""

    def __init__(self, make: Callable[[Endpoint], PluginClient] = PluginClient) -> None:
        self._make = make
        self._clients: dict[str, PluginClient] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def client(self, endpoint: Endpoint) -> PluginClient:
        """Return the client of an endpoint.

        A plugin that was started anew has another socket: the client before, and what its breaker
        knew, are forgotten; calls that are under way with it end as they may.
        """
        known = self._clients.get(endpoint.name)
        if known is not None and known.endpoint == endpoint:
            return known
        self.forget(endpoint.name)
        made = self._clients[endpoint.name] = self._make(endpoint)
        return made

    def forget(self, name: str) -> None:
        """Close the client of a plugin that is gone, once its calls have ended."""
        client = self._clients.pop(name, None)
        if client is not None:
            task = asyncio.create_task(client.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all clients, once their calls have ended."""
        for name in list(self._clients):
            self.forget(name)
        await asyncio.gather(*self._closing)
