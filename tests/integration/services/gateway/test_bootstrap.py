"""The whole gateway on a real Redis, with stand-ins for the store and the event service."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.gateway.bootstrap import serve
from services.gateway.config import GatewayConfig
from shared import errdefs
from shared.bus.ports import Delivery
from shared.bus.redis_bus import RedisBus
from shared.contracts.event import EventPublished, FeedPage, ReadFeed
from shared.contracts.plugin import Plugin
from shared.contracts.store import (
    Changed,
    DisablePlugin,
    EnablePlugin,
    GetInventory,
    Inventory,
    PluginChanged,
)
from shared.node.config import NodeConfig
from tests.support.gateway import FakeFeed, changed, event, plugin, plugin_id, reply, snapshot
from tests.support.redis import RedisServer
from tests.support.wait import eventually


@dataclass(slots=True, kw_only=True)
class _Store:
    """The store's side: one plugin, and every change published."""

    bus: RedisBus
    inventory: Inventory = field(default_factory=lambda: snapshot(1, plugin("a")))

    def serve(self) -> None:
        self.bus.serve(
            {GetInventory: self.get, EnablePlugin: self.enable, DisablePlugin: self.disable}
        )

    async def get(self, _command: GetInventory, _arrival: Delivery) -> Inventory:
        return self.inventory

    async def enable(self, _command: EnablePlugin, _arrival: Delivery) -> Changed:
        change = self.change(plugin("a", enabled=True))
        await self.bus.publish(change)
        return reply(change)

    async def disable(self, _command: DisablePlugin, _arrival: Delivery) -> Changed:
        raise errdefs.Conflict("plugin a/plugin:latest is in use")

    def change(self, one: Plugin) -> PluginChanged:
        """Commit a change."""
        self.inventory = snapshot(self.inventory.revision + 1, one)
        return changed(self.inventory.revision, one)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    config: GatewayConfig
    store: _Store
    events: RedisBus
    kept: FakeFeed
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def docker(self, *words: str) -> str:
        """Run the docker CLI; what it prints, errors included."""
        host = f"unix://{self.config.node.socket}"
        process = await asyncio.create_subprocess_exec(
            *("docker", "-H", host, *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
        return output.decode()

    async def enabled(self) -> bool:
        output = await self.docker("plugin", "inspect", "-f", "{{.Enabled}}", "a/plugin")
        return output.strip() == "true"

    async def becomes_enabled(self) -> None:
        """Look until the plugin is shown as enabled."""
        async with asyncio.timeout(15):
            while True:
                if await self.enabled():
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[_Node]:
    """Run a gateway, and on other ends of the bus what it talks to."""
    with tempfile.TemporaryDirectory(prefix="wherry-gw-") as name:
        config = _config(Path(name), redis_server.url)
        kept = FakeFeed()

        async def read_feed(query: ReadFeed, _arrival: Delivery) -> FeedPage:
            page = kept.answer(query)
            assert isinstance(page, FeedPage)
            return page

        buses = {s: RedisBus(url=redis_server.url, node="n", service=s) for s in ("store", "event")}
        store = _Store(bus=buses["store"])
        store.serve()
        buses["event"].serve({ReadFeed: read_feed})
        for bus in buses.values():
            await bus.open()
        stop = asyncio.Event()
        gateway = RedisBus(url=redis_server.url, node="n", service="gateway")
        task = asyncio.create_task(serve(config, gateway, stop))
        await eventually(config.node.socket.exists)
        yield _Node(
            config=config, store=store, events=buses["event"], kept=kept, stop=stop, task=task
        )
        stop.set()
        await task
        for bus in buses.values():
            await bus.close()


def _config(root: Path, redis_url: str) -> GatewayConfig:
    node = NodeConfig(
        name="n",
        root=root,
        exec_root=root,
        socket=root / "docker.sock",
        redis_url=redis_url,
        private_redis=True,
    )
    return GatewayConfig.load(node, {})


async def test_docker_cli(node: _Node) -> None:
    """The docker CLI prints what it prints of dockerd."""
    version = await node.docker("version")
    assert "Server: Wherry" in version
    assert "API version:      1.51 (minimum version 1.24)" in version
    assert "runc:" in version
    info = await node.docker("info")
    assert "Server Version: 28.3.0" in info
    assert "Live Restore Enabled: true" in info
    listed = await node.docker("plugin", "ls", "--no-trunc", "--format", "{{.ID}} {{.Enabled}}")
    assert listed == f"{plugin_id('a')} false\n"
    inspected = json.loads(await node.docker("plugin", "inspect", "a/plugin"))
    assert inspected[0]["Id"] == plugin_id("a")
    missing = await node.docker("plugin", "inspect", "nosuch")
    assert 'Error response from daemon: plugin "nosuch" not found' in missing


async def test_reads_see_writes(node: _Node) -> None:
    """Who has enabled a plugin sees it enabled."""
    assert await node.docker("plugin", "enable", "a/plugin") == "a/plugin\n"
    assert await node.enabled()
    assert "is in use" in await node.docker("plugin", "disable", "a/plugin")


async def test_events(node: _Node) -> None:
    """The docker CLI prints kept events, and those that are published until the end."""
    node.kept.append(event(1))
    until = str(int(time.time()) + 2)
    printing = asyncio.create_task(
        node.docker("events", "--since", "0", "--until", until, "--format", "{{.Action}}")
    )
    await eventually(lambda: node.kept.queries)
    one = event(2, action="disable", revision=2)
    node.kept.append(one)
    await node.events.publish(EventPublished(event=one))
    assert await printing == "enable\ndisable\n"


async def test_bus_loses_its_data(node: _Node, redis_server: RedisServer) -> None:
    """After Redis has lost everything, the replica shows what the store has."""
    assert not await node.enabled()
    node.store.change(plugin("a", enabled=True))
    redis_server.flushall()
    await node.becomes_enabled()


async def test_redis_restarts(node: _Node, redis_server: RedisServer) -> None:
    """While Redis is away reads go on, and afterwards they are up to date."""
    assert not await node.enabled()
    redis_server.stop()
    assert not await node.enabled()
    node.store.change(plugin("a", enabled=True))
    redis_server.start()
    await node.becomes_enabled()


async def test_stop(node: _Node) -> None:
    """A stopped gateway leaves no socket, and its node keeps its id."""
    first = await node.docker("info", "-f", "{{.ID}}")
    node.stop.set()
    async with asyncio.timeout(10):
        await node.task
    assert not node.config.node.socket.exists()
    assert (node.config.node.root / "engine-id").read_text() == first
