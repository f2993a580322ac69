"""Legacy plugins: found, activated once, asked for by capability."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from shared import errdefs
from shared.plugin_rpc.answer import RemoteError
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy import LegacyPlugins
from shared.plugin_rpc.legacy_folders import LegacyFolders
from tests.support.plugin_rpc import FakePlugin, FakeTime, client, refused

_IMPLEMENTS = {"Implements": ["VolumeDriver", "authz"]}


class World:
    """Spec files in a folder, each leading to a stand-in."""

    def __init__(self, folder: Path) -> None:
        self.time = FakeTime()
        self.plugins: dict[str, FakePlugin] = {}
        self._folder = folder
        endpoints = Endpoints(
            lambda endpoint: client(
                lambda found: self.plugins[found.name], self.time, endpoint=endpoint
            )
        )
        folders = LegacyFolders(sockets=folder / "none", specs=(folder,))
        self.legacy = LegacyPlugins(folders, endpoints, clock=self.time, sleep=self.time.sleep)

    def add(self, name: str, *answers: object, address: str = "tcp://127.0.0.1:1") -> FakePlugin:
        """Describe a plugin."""
        (self._folder / f"{name}.spec").write_text(address)
        plugin = self.plugins[name] = FakePlugin(*answers)
        return plugin


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_i10_get(world: World) -> None:
    """A plugin is found by what it implements, and asked for it once."""
    plugin = world.add("fruit", _IMPLEMENTS)
    first = await world.legacy.get("fruit", "authz")
    assert await world.legacy.get("fruit", "VolumeDriver") is first
    assert plugin.called == ["Plugin.Activate"]
    assert plugin.bodies == [b""]


async def test_i10_not_implemented(world: World) -> None:
    """What a plugin does not implement, in exactly this spelling, is refused in Docker's words."""
    world.add("fruit", _IMPLEMENTS)
    with pytest.raises(errdefs.InvalidArgument) as error:
        await world.legacy.get("fruit", "volumedriver")
    assert error.value.message == (
        'Plugin does not implement the requested driver: plugin="fruit", '
        'requested implementation="volumedriver"'
    )


async def test_i10_not_found(world: World) -> None:
    """A plugin that is not there is looked for again, about 15 s as in Docker."""
    with pytest.raises(errdefs.NotFound, match=r'^plugin "vegetable" not found$'):
        await world.legacy.get("vegetable", "authz")
    assert world.time.slept_s == [1.0, 2.0, 4.0, 8.0]


async def test_a_plugin_that_turns_up_is_taken(world: World) -> None:
    """A plugin that is started while it is looked for is found."""

    async def sleep(pause_s: float) -> None:
        world.add("late", _IMPLEMENTS)
        await world.time.sleep(pause_s)

    world.legacy._sleep = sleep
    await world.legacy.get("late", "authz")
    assert world.time.slept_s == [1.0]


async def test_i09_a_bad_plugin_blocks_nobody(world: World) -> None:
    """All who wait for a handshake that fails get its error, and the next one tries anew."""
    plugin = world.add("bad", httpx.Response(500, json={"Err": "some junk happened"}))
    waiting = [world.legacy.get("bad", "authz") for _ in range(3)]
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in errors] == ["Plugin.Activate: some junk happened"] * 3
    assert plugin.called == ["Plugin.Activate"]
    plugin.answers = [_IMPLEMENTS]
    await world.legacy.get("bad", "authz")


async def test_who_gives_up_leaves_the_handshake_to_others(world: World) -> None:
    """A caller that is cancelled does not take the handshake from another one."""
    world.add("fruit", _IMPLEMENTS)
    first = asyncio.create_task(world.legacy.get("fruit", "authz"))
    second = asyncio.create_task(world.legacy.get("fruit", "authz"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).endpoint.name == "fruit"


async def test_a_plugin_that_moved_is_asked_again(world: World) -> None:
    """Another address in its file is another plugin, which says anew what it implements."""
    world.add("fruit", _IMPLEMENTS)
    await world.legacy.get("fruit", "authz")
    world.add("fruit", {"Implements": []}, address="tcp://127.0.0.1:2")
    with pytest.raises(errdefs.InvalidArgument):
        await world.legacy.get("fruit", "authz")


async def test_get_all(world: World) -> None:
    """All that implement it are found at once; those that don't answer are passed over."""
    world.add("a", _IMPLEMENTS)
    world.add("b", {"Implements": ["NetworkDriver"]})
    world.add("c", refused())
    world.add("d", {"implements": ["authz"]})
    assert list(await world.legacy.get_all("authz")) == ["a", "d"]


async def test_an_error_is_the_plugin_s(world: World) -> None:
    """What fails in the handshake says so."""
    world.add("html", httpx.Response(200, text="<html>"))
    with pytest.raises(RemoteError, match=r"^Plugin\.Activate: the answer is no JSON"):
        await world.legacy.get("html", "authz")


@pytest.mark.parametrize("address", ["tcp://☃.:1", "tcp://xn--a:1"])
async def test_a_host_that_can_be_none_is_refused(world: World, address: str) -> None:
    """A plugin whose host no name can be is called nowhere, and the others are found."""
    world.add("bad", _IMPLEMENTS, address=address)
    world.add("good", _IMPLEMENTS)
    with pytest.raises(errdefs.InvalidArgument, match=r"^Plugin\.Activate: plugin bad cannot be"):
        await world.legacy.get("bad", "authz")
    assert list(await world.legacy.get_all("authz")) == ["good"]


@pytest.mark.parametrize("said", [5, True, "authz", {"authz": 1}, ["authz", 7], [["authz"]], 0, ""])
async def test_a_manifest_of_another_form_is_an_error(world: World, said: object) -> None:
    """A plugin that lists no names is refused as Go would, and the others are found."""
    world.add("bad", {"Implements": said})
    world.add("good", _IMPLEMENTS)
    with pytest.raises(RemoteError, match=r"^Plugin\.Activate: Implements is no list of names"):
        await world.legacy.get("bad", "authz")
    assert list(await world.legacy.get_all("authz")) == ["good"]


@pytest.mark.parametrize("manifest", [{}, {"Implements": None}, {"Implements": [None]}])
async def test_a_null_names_nothing(world: World, manifest: object) -> None:
    """A plugin that leaves it open implements nothing, as in Go."""
    world.add("none", manifest)
    with pytest.raises(errdefs.InvalidArgument, match="does not implement"):
        await world.legacy.get("none", "authz")
