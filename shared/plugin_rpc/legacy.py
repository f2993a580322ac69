"""Docker's legacy plugins (v1): found in folders, asked once what they implement."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from shared import errdefs
from shared.oci import go_json
from shared.plugin_rpc import backoff
from shared.plugin_rpc.answer import RemoteError
from shared.plugin_rpc.client import PluginClient
from shared.plugin_rpc.endpoint import Endpoint
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy_folders import LegacyFolders

_ACTIVATE: Final = "Plugin.Activate"
_ACTIVATE_LIMIT_S: Final = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Active:
    endpoint: Endpoint
    implements: frozenset[str]


class LegacyPlugins:
    """Finds legacy plugins and shakes hands with each once, as long as it stays where it is."""

    def __init__(
        self,
        folders: LegacyFolders,
        endpoints: Endpoints,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folders = folders
        self._endpoints = endpoints
        self._clock = clock
        self._sleep = sleep
        self._active: dict[str, _Active] = {}
        self._activating: dict[Endpoint, asyncio.Task[_Active]] = {}

    async def get(
        self, name: str, capability: str, *, patience_s: float = backoff.PATIENCE_S
    ) -> PluginClient:
        """Return the client of a plugin that implements the capability, in exactly this spelling.

        One that is not there is looked for again with Docker's pauses: about 15 s, unless
        *patience_s* is shorter. Raises NotFound when it does not turn up.
        """
        endpoint = await self._find(name, patience_s)
        active = await self._activated(endpoint)
        if capability not in active.implements:
            raise errdefs.InvalidArgument(
                f"Plugin does not implement the requested driver: plugin={go_json.quote(name)}, "
                f"requested implementation={go_json.quote(capability)}",
                docker_unclassed=True,
            )
        return self._endpoints.client(endpoint)

    async def get_all(self, capability: str) -> dict[str, PluginClient]:
        """Return by name the clients of all plugins that implement the capability."""
        names = self._folders.names()
        found = await asyncio.gather(*(self._get_or_none(name, capability) for name in names))
        return {name: client for name, client in zip(names, found, strict=True) if client}

    async def _get_or_none(self, name: str, capability: str) -> PluginClient | None:
        try:
            return await self.get(name, capability, patience_s=0)
        except errdefs.Error as error:
            log.info("legacy plugin passed over", plugin=name, error=error.message)
            return None

    async def _find(self, name: str, patience_s: float) -> Endpoint:
        began = self._clock()
        for retries in itertools.count():
            try:
                return self._folders.find(name)
            except errdefs.NotFound:
                pause_s = backoff.pause_s(retries)
                if backoff.gives_up(self._clock() - began, pause_s, patience_s):
                    raise
                await self._sleep(pause_s)
        raise AssertionError("unreachable")  # itertools.count has no end

    async def _activated(self, endpoint: Endpoint) -> _Active:
        active = self._active.get(endpoint.name)
        if active is not None and active.endpoint == endpoint:
            return active
        task = self._activating.get(endpoint)
        if task is None:
            task = self._activating[endpoint] = asyncio.create_task(self._activate(endpoint))
            task.add_done_callback(lambda done: self._activation_ended(endpoint, done))
        # Shielded: who gives up meanwhile must not take it from the others.
        return await asyncio.shield(task)

    def _activation_ended(self, endpoint: Endpoint, done: asyncio.Task[_Active]) -> None:
        del self._activating[endpoint]
        if not done.cancelled() and (error := done.exception()) is not None:
            # Looked at here, for those who waited may all have given up.
            log.info("legacy plugin not activated", plugin=endpoint.name, error=str(error))

    async def _activate(self, endpoint: Endpoint) -> _Active:
        client = self._endpoints.client(endpoint)
        manifest = await client.call(_ACTIVATE, deadline_s=_ACTIVATE_LIMIT_S)
        active = _Active(endpoint=endpoint, implements=_implements(manifest))
        self._active[endpoint.name] = active
        return active


def _implements(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return what a plugin says that it implements; a null is no name, as in Go."""
    listed = manifest.get("Implements", [])
    if not isinstance(listed, list) or not all(isinstance(one, str | None) for one in listed):
        raise RemoteError(_ACTIVATE, "Implements is no list of names", status=200)
    return frozenset(one for one in listed if one)
