"""One client, and so one breaker, for each plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.plugin_rpc.client import Locate, PluginClient
from shared.plugin_rpc.endpoint import Endpoint


class Endpoints:
    """Keeps clients by the plugin's name."""

    def __init__(self, make: Callable[[Endpoint], PluginClient] = PluginClient) -> None:
        self._make = make
        self._clients: dict[str, PluginClient] = {}

    def client(self, endpoint: Endpoint, locate: Locate | None = None) -> PluginClient:
        """Return the plugin's client, which calls it at this endpoint from now on.

        A plugin that was started anew has another socket: what the breaker knew is forgotten.
        *locate* is asked where it is by then, before a call that did not reach it is sent again.
        """
        client = self._clients.get(endpoint.name)
        if client is None:
            client = self._clients[endpoint.name] = self._make(endpoint)
        elif client.endpoint != endpoint:
            client.move(endpoint)
        client.locate = locate
        return client

    async def close(self) -> None:
        """Close all clients, once their calls have ended."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.close() for client in clients.values()))
