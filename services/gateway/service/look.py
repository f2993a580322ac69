"""Looks into running plugins: their processes, and what they use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from services.gateway import ports
from services.gateway.domain import docker_stats
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.executor import (
    ContainerFigures,
    ListProcesses,
    MeasureContainers,
    ProcessTable,
)
from shared.contracts.plugin import Plugin

_LIMIT_S: Final = 15.0


def container_of(plugin: Plugin) -> str:
    """Return the container that a plugin runs in; raises Conflict without one."""
    if plugin.status.container_id is None:
        raise errdefs.Conflict(
            f"plugin {plugin.name} is not running; enable it first",
            detail={"plugin": plugin.name},
        )
    return plugin.status.container_id


class PluginLook:
    """Asks the executor about plugins' containers; all raise what it answers."""

    def __init__(self, *, sender: ports.Sender, replica: Replica, interval_s: float = 1.0) -> None:
        self._sender = sender
        self._replica = replica
        #: Between two measurements; a second, as in Docker.
        self._interval_s = interval_s
        self._closed = asyncio.Event()

    def close(self) -> None:
        """End what goes on."""
        self._closed.set()

    async def processes(self, name: str, ps_args: str) -> ProcessTable:
        """List a plugin's processes; raises Conflict when it does not run."""
        plugin = (await self._replica.ready()).resolve(name).plugin
        command = ListProcesses(container_id=container_of(plugin), ps_args=ps_args)
        return await self._sender.send(command, timeout_s=_LIMIT_S)

    async def stats(self, name: str) -> AsyncGenerator[dict[str, Any], None]:
        """Return Docker's stats objects of a plugin, each second; the first tells no rate.

        They go on over its restarts, empty while it does not run, until it is removed.
        """
        plugin_id = (await self._replica.ready()).resolve(name).plugin.plugin_id
        rounds = self._rounds(lambda plugin: plugin.plugin_id == plugin_id)
        return _first_of(rounds)

    async def all_stats(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Return Docker's stats objects of all enabled plugins, each second and sorted by name."""
        await self._replica.ready()
        return self._rounds(lambda plugin: plugin.enabled)

    async def _rounds(
        self, is_wanted: Callable[[Plugin], bool]
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        before: Mapping[str, ContainerFigures] = {}
        while not self._closed.is_set():
            entries = (await self._replica.ready()).entries.values()
            wanted = [entry.plugin for entry in entries if is_wanted(entry.plugin)]
            figures = await self._measure(wanted)
            yield [_shown(plugin, figures, before) for plugin in sorted(wanted, key=_name)]
            before = figures
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._closed.wait()

    async def _measure(self, plugins: list[Plugin]) -> dict[str, ContainerFigures]:
        ids = tuple(p.status.container_id for p in plugins if p.status.container_id is not None)
        answer = await self._sender.send(MeasureContainers(container_ids=ids), timeout_s=_LIMIT_S)
        return {figures.container_id: figures for figures in answer.figures}


async def _first_of(
    rounds: AsyncGenerator[list[dict[str, Any]], None],
) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(rounds):
        async for each in rounds:
            if not each:
                return  # removed
            yield each[0]


def _name(plugin: Plugin) -> str:
    return plugin.name


def _shown(
    plugin: Plugin, now: Mapping[str, ContainerFigures], before: Mapping[str, ContainerFigures]
) -> dict[str, Any]:
    container_id = plugin.status.container_id or ""
    return docker_stats.stats_object(
        plugin.name, plugin.plugin_id, now.get(container_id), before.get(container_id)
    )
