"""A service that handles a capability, beside a real node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.bus.redis_bus import RedisBus
from shared.contracts.capability import CapabilityKey, RuntimeOption, UnregisterHandler
from shared.contracts.executor import ContainerMount
from shared.contracts.plugin import Plugin
from shared.plugins.events import EventEnable, Watch, subscribe
from shared.plugins.registrar import CapabilityHandler, Registrar
from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.wait import eventually

KEY = CapabilityKey(capability="dummy")
SERVICE = "tester"


class HandlerService:
    """A service of a test: what it was told, and whether it answers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def started(self, plugin: Plugin) -> None:
        """Take a plugin, once that is allowed."""
        self.told.append(f"{plugin.status.container_id}")
        await self.may_answer.wait()

    def told_of(self, plugin_id: str) -> list[str]:
        """Return the containers of one plugin; it may be told of one that is being removed."""
        return [container_id for container_id in self.told if container_id.startswith(plugin_id)]

    @asynccontextmanager
    async def serving(
        self, node: Node, *, required: bool = False, options: tuple[RuntimeOption, ...] = ()
    ) -> AsyncIterator[RedisBus]:
        """Run as a service does; what it registered stays when it ends."""
        bus = RedisBus(
            url=f"unix://{node.exec_root / 'redis.sock'}", node=node.name, service=SERVICE
        )
        handler = CapabilityHandler(key=KEY, started=self.started, required=required)
        registrar = Registrar(sender=bus, service=SERVICE, handlers=(handler,), options=options)
        bus.serve(registrar.commands())
        await bus.open()
        try:
            await registrar.register()
            yield bus
        finally:
            await bus.close()


@pytest.fixture
async def tester(node: Node) -> AsyncIterator[HandlerService]:
    """Give the test a service, and take its registration away."""
    tester = HandlerService()
    yield tester
    tester.may_answer.set()
    async with tester.serving(node) as bus:
        await bus.send(UnregisterHandler(consumer=SERVICE, key=KEY), owner="store", timeout_s=10)


@pytest.fixture
def plugin(node: Node, contexts: Contexts) -> str:
    """Create the plugin, of the capability docker.dummy/1.0."""
    node.create("handled", contexts.tar())
    return "handled"


async def test_enable_waits_for_a_required_handler(
    node: Node, tester: HandlerService, plugin: str
) -> None:
    """The plugin runs and is not shown as enabled until its handler has taken it."""
    tester.may_answer.clear()
    async with tester.serving(node, required=True):
        own = node.plugin(plugin)["plugin_id"][:12]
        enabling = asyncio.create_task(asyncio.to_thread(node.enable, plugin))
        await eventually(lambda: tester.told_of(own), limit_s=20)
        seen = await asyncio.to_thread(node.plugin, plugin)
        assert (seen["enabled"], enabling.done()) == (False, False)

        tester.may_answer.set()
        status = await enabling

    assert status["state"] == "running"
    assert tester.told_of(own) == [status["container_id"]]


async def test_enable_names_a_required_handler_that_does_not_answer(
    node: Node, tester: HandlerService, plugin: str
) -> None:
    """The docker CLI shows which service keeps the plugin from being enabled; nothing is left."""
    async with tester.serving(node, required=True):
        pass  # registered, and gone

    said = await asyncio.to_thread(node.docker_fails, "plugin", "enable", "--timeout=2", plugin)

    assert "because the service tester, which handles docker.dummy/1.0, did not answer" in said
    seen = await asyncio.to_thread(node.plugin, plugin)
    assert (seen["enabled"], seen["status"]["state"]) == (False, "stopped")
    assert node.containers() == []


async def test_handler_that_was_away_is_told_when_it_is_back(
    node: Node, tester: HandlerService, plugin: str
) -> None:
    """An enable does not wait for who need not be waited for; a killed store forgets nobody."""
    async with tester.serving(node):
        pass
    status = await asyncio.to_thread(node.enable, plugin)
    assert not tester.told
    node.kill("store")
    await asyncio.to_thread(node.wait_healthy)
    registered = (await asyncio.to_thread(node.get, "/wherry/v1/registrations"))["handlers"]
    assert SERVICE in {handler["consumer"] for handler in registered}

    async with tester.serving(node):
        await eventually(lambda: tester.told, limit_s=20)

    assert set(tester.told) == {status["container_id"]}  # at least once


async def test_option_of_a_service_is_given_to_the_plugin(
    node: Node, tester: HandlerService, plugin: str, tmp_path: Path
) -> None:
    """Mounts and environment that a service registered are there when the plugin starts."""
    (tmp_path / "given").write_text("by the node")
    mount = ContainerMount(
        type="bind", source=str(tmp_path), destination="/mnt/given", options=("rbind", "ro")
    )
    option = RuntimeOption(owner=SERVICE, key=KEY, mounts=(mount,), env=("GIVEN=yes",))
    async with tester.serving(node, options=(option,)):
        pid = (await asyncio.to_thread(node.enable, plugin))["pid"]

    assert Path(f"/proc/{pid}/root/mnt/given/given").read_text() == "by the node"
    assert b"GIVEN=yes" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


async def test_services_follow_plugins_by_typed_events(
    node: Node, tester: HandlerService, plugin: str
) -> None:
    """A subscription hears of this plugin's enable, with all that is known of it."""
    plugin_id = (await asyncio.to_thread(node.plugin, plugin))["plugin_id"]
    watch = Watch(kind=EventEnable, plugin_id=plugin_id)
    async with tester.serving(node) as bus, subscribe(bus, watch) as events:
        await asyncio.to_thread(node.enable, plugin)
        async with asyncio.timeout(20):
            event = await anext(events)

    assert isinstance(event, EventEnable)
    assert event.plugin is not None
    assert event.plugin.status.socket_dir
