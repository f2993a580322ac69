"""A node's plugins in memory, as the controller's tasks see them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator

from shared import errdefs
from shared.contracts.executor import Exit
from shared.contracts.job import JobRequest
from shared.contracts.plugin import Plugin, PluginState, PluginStatus

EMPTY_CONFIG = {"Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "p.sock"}}


def installed(name: str, remote: str, service_id: str = "") -> Plugin:
    """Return a plugin that was just pulled."""
    return Plugin(
        plugin_id=hashlib.sha256(name.encode()).hexdigest(),
        name=name,
        reference=remote,
        enabled=False,
        config=EMPTY_CONFIG,
        settings={"Env": []},
        config_digest=_digest(remote),
        manifest_digest=_digest(remote),
        created_at_ns=0,
        swarm_service_id=service_id,
    )


class FakeBackend:
    """A ports.PluginBackend; *done* is what was done to it, in order."""

    def __init__(self) -> None:
        self.plugins: dict[str, Plugin] = {}
        self.done: list[str] = []
        self.requests: list[JobRequest] = []
        self.held: set[str] = set()
        #: Raised by the next call of the verb that it is under.
        self.refusals: dict[str, errdefs.Error] = {}
        self._moved = asyncio.Condition()

    async def get(self, name: str) -> Plugin | None:
        """Return a plugin."""
        self._refuse("get")
        return self.plugins.get(name) or self._named(name)

    async def pull(self, request: JobRequest) -> None:
        """Install a plugin."""
        self._do("pull")
        self.requests.append(request)
        plugin = installed(request.name, request.remote, request.swarm_service_id)
        await self.put(plugin.model_copy(update={"settings": {"Env": list(request.env)}}))

    async def upgrade(self, request: JobRequest) -> None:
        """Replace a plugin by another version."""
        self._do("upgrade")
        self.requests.append(request)
        plugin = self._require(request.name)
        digest = _digest(request.remote)
        await self.put(
            plugin.model_copy(
                update={
                    "reference": request.remote,
                    "manifest_digest": digest,
                    "settings": {"Env": list(request.env)},
                }
            )
        )

    async def abandon(self) -> None:
        """Call off what was begun: nothing is, here."""
        self._do("abandon")

    async def enable(self, name: str, *, timeout_s: int) -> None:
        """Start a plugin."""
        self._do("enable")
        await self.switch(name, enabled=True)

    async def disable(self, name: str, *, force: bool) -> None:
        """Stop a plugin."""
        self._do("disable")
        await self.switch(name, enabled=False)

    async def remove(self, name: str, *, force: bool) -> None:
        """Remove a plugin."""
        self._do("remove")
        plugin = self.plugins.get(name) or self._named(name)
        if plugin is not None:
            async with self._moved:
                del self.plugins[plugin.plugin_id]
                self._moved.notify_all()

    async def acquire(self, plugin: Plugin, task_id: str) -> None:
        """Hold a plugin."""
        self.held.add(task_id)

    async def release(self, plugin: Plugin, task_id: str) -> None:
        """Hold a plugin no more."""
        self.held.discard(task_id)

    async def watch(self, plugin_id: str) -> AsyncGenerator[Plugin | None, None]:
        """Yield a plugin, and each change of it."""
        while True:
            seen = self.plugins.get(plugin_id)
            yield seen
            async with self._moved:
                while self.plugins.get(plugin_id) == seen:
                    await self._moved.wait()

    async def put(self, plugin: Plugin) -> None:
        """Have a plugin so."""
        async with self._moved:
            self.plugins[plugin.plugin_id] = plugin
            self._moved.notify_all()

    async def switch(self, name: str, *, enabled: bool) -> None:
        """Switch a plugin on or off."""
        state = PluginState.RUNNING if enabled else PluginState.STOPPED
        plugin = self._require(name)
        starts = plugin.status.starts + enabled
        status = plugin.status.model_copy(
            update={"state": state, "starts": starts, "container_id": f"c-{starts}"}
        )
        await self.put(plugin.model_copy(update={"enabled": enabled, "status": status}))

    async def crash(self, name: str, exit_code: int, at_ns: int) -> None:
        """Let a plugin end unasked; it is being started again, as the store does."""
        plugin = self._require(name)
        ended = Exit(exit_code=exit_code, exited_at_ns=at_ns)
        status = PluginStatus(
            state=PluginState.RESTARTING, last_exit=ended, starts=plugin.status.starts
        )
        await self.put(plugin.model_copy(update={"status": status}))

    def _named(self, name: str) -> Plugin | None:
        return next((one for one in self.plugins.values() if one.name == name), None)

    def _require(self, name: str) -> Plugin:
        plugin = self.plugins.get(name) or self._named(name)
        if plugin is None:
            raise errdefs.NotFound(f'plugin "{name}" not found')
        return plugin

    def _do(self, verb: str) -> None:
        self._refuse(verb)
        self.done.append(verb)

    def _refuse(self, verb: str) -> None:
        if refusal := self.refusals.pop(verb, None):
            raise refusal


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
