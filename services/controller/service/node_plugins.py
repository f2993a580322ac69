"""The plugins of a node, followed for as long as somebody waits for what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.controller import ports
from shared.contracts.plugin import Plugin
from shared.contracts.store import GetInventory, Inventory, PluginChanged
from shared.tasks.background import Tasks, until_done

_ANSWER_LIMIT_S = 10.0
_TASK = "follow"


class NodePlugins:
    """A picture of one node's inventory: a snapshot, then each change."""

    def __init__(self, *, fleet: ports.Fleet, node: str) -> None:
        self._fleet = fleet
        self._node = node
        self._epoch, self._revision = "", 0
        self._plugins: dict[str, Plugin] = {}
        self._moved = asyncio.Event()
        self._tasks = Tasks()

    async def close(self) -> None:
        """Follow no more."""
        await self._tasks.cancel_all()

    async def watch(self, plugin_id: str) -> AsyncGenerator[Plugin | None, None]:
        """Yield a plugin as it is now, then after each change of it; None: it is gone.

        Raises Unavailable and DeadlineExceeded when the node does not answer at the beginning.
        """
        self._ensure_followed()
        # What follows is at least as new as all that the caller was told before.
        await self._refresh()
        while True:
            moved, seen = self._moved, self._plugins.get(plugin_id)
            yield seen
            while self._plugins.get(plugin_id) == seen:
                await moved.wait()
                moved = self._moved

    async def moved(self, limit_s: float) -> None:
        """Wait until something changes on the node, or for so long."""
        self._ensure_followed()
        try:
            async with asyncio.timeout(limit_s):
                await self._moved.wait()
        except TimeoutError:
            return

    def _ensure_followed(self) -> None:
        if not self._tasks.has(_TASK):
            self._tasks.ensure(_TASK, self._follow())

    async def _follow(self) -> None:
        async with aclosing(self._fleet.plugin_changes(self._node)) as changes:
            async for change in changes:
                if not isinstance(change, PluginChanged) or not self._take(change):
                    await until_done(self._refresh)

    def _take(self, change: PluginChanged) -> bool:
        """Take in a change that is the next; tell whether the picture is whole."""
        if change.epoch != self._epoch:
            return False
        if change.revision <= self._revision:
            return True
        if change.revision != self._revision + 1:
            return False
        self._revision = change.revision
        if change.plugin is None:
            self._plugins.pop(change.plugin_id, None)
        else:
            self._plugins[change.plugin_id] = change.plugin
        self._wake()
        return True

    async def _refresh(self) -> None:
        snapshot = await self._fleet.send(self._node, GetInventory(), timeout_s=_ANSWER_LIMIT_S)
        if self._is_newer(snapshot):
            self._epoch, self._revision = snapshot.epoch, snapshot.revision
            self._plugins = {plugin.plugin_id: plugin for plugin in snapshot.plugins}
            self._wake()

    def _is_newer(self, snapshot: Inventory) -> bool:
        return snapshot.epoch != self._epoch or snapshot.revision > self._revision

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


class FleetPlugins:
    """The pictures of all nodes that somebody waits for."""

    def __init__(self, fleet: ports.Fleet) -> None:
        self._fleet = fleet
        self._nodes: dict[str, NodePlugins] = {}

    def of(self, node: str) -> NodePlugins:
        """Return the picture of a node."""
        if node not in self._nodes:
            self._nodes[node] = NodePlugins(fleet=self._fleet, node=node)
        return self._nodes[node]

    async def close(self) -> None:
        """Follow no node any more."""
        nodes, self._nodes = self._nodes, {}
        await asyncio.gather(*(node.close() for node in nodes.values()))
