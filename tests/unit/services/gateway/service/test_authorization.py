"""The chain of authorization plugins, over stand-ins for plugins and for the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.gateway.domain.authorization import Caller, Question
from services.gateway.ports import Lost
from services.gateway.service.authorization import Authorization
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.plugin import Plugin, PluginState, PluginStatus
from shared.contracts.store import GetInventory
from shared.plugin_rpc.client import PluginClient
from shared.plugin_rpc.endpoint import Endpoint
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy import LegacyPlugins
from shared.plugin_rpc.legacy_folders import LegacyFolders
from shared.plugin_rpc.lookup import Lookup
from tests.support.bus import FakeSender
from tests.support.gateway import FakeChanges, changed, plugin, snapshot
from tests.support.plugin_rpc import FakePlugin, FakeTime, client, refused

_QUESTION = Question(caller=Caller(), method="GET", uri="/version", headers={})
_ALLOW = {"Allow": True}


class FakeLeftOut:
    """A ports.LeftOut in memory."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def has(self, name: str) -> bool:
        """Tell whether the plugin is left out."""
        return name in self.names

    def add(self, name: str) -> None:
        """Leave it out."""
        self.names.add(name)

    def drop(self, name: str) -> None:
        """Take it in."""
        self.names.discard(name)


class World:
    """A replica with plugins, and what each of them answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wires: dict[str, FakePlugin] = {}
        self.left_out = FakeLeftOut()
        self.changes = FakeChanges()
        self._time = FakeTime()
        self._sender = FakeSender({GetInventory: snapshot(0)})
        self.replica = Replica(sender=self._sender, changes=self.changes, patience_s=1)

    def put(
        self,
        letter: str,
        *,
        enabled: bool = True,
        types: str = "docker.authz/1.0",
        state: PluginState = PluginState.RUNNING,
    ) -> None:
        """Have a plugin, as a change of the store."""
        revision = self.replica.inventory.revision + 1
        one = _plugin(letter, types, enabled=enabled, state=state)
        self.replica._apply(changed(revision, one))

    def remove(self, letter: str) -> None:
        """Have no such plugin any more."""
        revision = self.replica.inventory.revision + 1
        self.replica._apply(changed(revision, None, letter=letter))

    def answer(self, name: str, *answers: object) -> FakePlugin:
        """Say what a plugin answers."""
        self.wires[name] = FakePlugin(*answers)
        return self.wires[name]

    def chain(self, *names: str) -> Authorization:
        """Return a gateway's chain, as it is at its start."""
        endpoints = Endpoints(self._client)
        folders = LegacyFolders(sockets=self.folder / "none", specs=(self.folder,))
        inventory = self.replica.inventory
        lookup = Lookup(
            resolve=lambda name: inventory.resolve(name).plugin,
            managed=lambda: [entry.plugin for entry in inventory.entries.values()],
            endpoints=endpoints,
            legacy=LegacyPlugins(folders, endpoints, clock=self._time, sleep=self._time.sleep),
        )
        return Authorization(
            names, replica=self.replica, lookup=lookup, left_out=self.left_out, limit_s=1.5
        )

    def _client(self, endpoint: Endpoint) -> PluginClient:
        return client(self.wires[endpoint.name], self._time, endpoint=endpoint)


def _plugin(letter: str, types: str, *, enabled: bool, state: PluginState) -> Plugin:
    runs = enabled and state == PluginState.RUNNING
    return plugin(
        letter,
        enabled=enabled,
        config={"Interface": {"Socket": "p.sock", "Types": [types]}},
        status=PluginStatus(state=state, socket_dir=f"/e/{letter}/s" if runs else None),
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    running = asyncio.create_task(world.replica.run())
    world.changes.put(Lost())
    await world.replica.ready()
    yield world
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _error(chain: Authorization) -> errdefs.Error:
    with pytest.raises(errdefs.Error) as error:
        await chain.before(_QUESTION)
    return error.value


async def test_all_are_asked_in_order(world: World) -> None:
    """Each plugin is asked once, in the order of the names, whatever it is called by."""
    world.put("b")
    world.put("a")
    for letter in "ab":
        world.answer(f"{letter}/plugin:latest", _ALLOW)
    chain = world.chain("b/plugin", "a/plugin", "b/plugin", "b/plugin:latest")
    asked = await chain.before(_QUESTION)
    assert asked == ("b/plugin:latest", "a/plugin:latest")
    await chain.after(_QUESTION.answered(200, {}, b""), asked)
    hooks = ["AuthZPlugin.AuthZReq", "AuthZPlugin.AuthZRes"]
    assert [wire.called for wire in world.wires.values()] == [hooks, hooks]
    assert await chain.problems() == ()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"Allow": False, "Msg": "no"}, "authorization denied by plugin a/plugin:latest: no"),
        ({"allow": False, "msg": "no"}, "authorization denied by plugin a/plugin:latest: no"),
        ({}, "authorization denied by plugin a/plugin:latest: "),
        ({"Allow": "true"}, "authorization denied by plugin a/plugin:latest: "),
        (httpx.Response(200), "authorization denied by plugin a/plugin:latest: "),
    ],
)
async def test_only_leave_is_leave(world: World, answer: object, message: str) -> None:
    """Whatever does not allow denies."""
    world.put("a")
    world.answer("a/plugin:latest", answer)
    error = await _error(world.chain("a/plugin"))
    assert isinstance(error, errdefs.PermissionDenied)
    assert error.message == message


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (httpx.Response(500, json={"Err": "oops"}), "internal", "AuthZPlugin.AuthZReq: oops"),
        ({"Allow": True, "Err": "oops"}, "internal", "AuthZPlugin.AuthZReq: oops"),
        (refused(), "unavailable", "AuthZPlugin.AuthZReq: plugin a/plugin:latest cannot be"),
        ([1], "internal", "AuthZPlugin.AuthZReq: the answer is JSON, but no object"),
    ],
)
async def test_a_failure_is_no_leave(world: World, answer: object, code: str, message: str) -> None:
    """A plugin that fails is an error of status 500 on Docker's routes."""
    world.put("a")
    world.answer("a/plugin:latest", answer)
    error = await _error(world.chain("a/plugin"))
    assert error.message.startswith(f"plugin a/plugin:latest failed with error: {message}")
    assert (error.code, error.docker_unclassed) == (code, True)


async def test_the_first_refusal_ends_it(world: World) -> None:
    """Plugins behind one that denies are not asked."""
    for letter in "ab":
        world.put(letter)
    world.answer("a/plugin:latest", {"Allow": False})
    behind = world.answer("b/plugin:latest", _ALLOW)
    await _error(world.chain("a/plugin", "b/plugin"))
    assert behind.called == []


async def test_e16_a_plugin_that_is_disabled_is_left_out(world: World) -> None:
    """Disabled while in force, a plugin is asked no more, and again once it is enabled."""
    world.put("a")
    wire = world.answer("a/plugin:latest", {"Allow": False})
    chain = world.chain("a/plugin")
    await _error(chain)
    world.put("a", enabled=False)
    assert await chain.before(_QUESTION) == ()
    assert await world.chain("a/plugin").before(_QUESTION) == ()
    world.put("a")
    await _error(chain)
    assert len(wire.called) == 2
    assert world.left_out.names == set()


async def test_a_plugin_disabled_by_the_request_is_not_asked_after(world: World) -> None:
    """The answer to a disable is not put to the plugin that it disabled."""
    world.put("a")
    wire = world.answer("a/plugin:latest", _ALLOW)
    chain = world.chain("a/plugin")
    asked = await chain.before(_QUESTION)
    world.put("a", enabled=False)
    await chain.after(_QUESTION.answered(200, {}, b""), asked)
    assert wire.called == ["AuthZPlugin.AuthZReq"]


async def test_a_plugin_that_came_meanwhile_is_not_asked_after(world: World) -> None:
    """Who was not asked before is not asked after."""
    world.put("a")
    wire = world.answer("a/plugin:latest", _ALLOW)
    await world.chain("a/plugin").after(_QUESTION.answered(200, {}, b""), ())
    assert wire.called == []


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("disabled", "plugin a/plugin found but disabled"),
        ("missing", 'plugin "a/plugin" not found'),
        ("other", 'plugin does not provide "authz" capability'),
    ],
)
async def test_e17_e18_at_the_start_nothing_is_left_out(
    world: World, state: str, message: str
) -> None:
    """A plugin that was never seen in force, and can't be asked, allows nothing."""
    if state == "disabled":
        world.put("a", enabled=False)
    elif state == "other":
        world.put("a", types="docker.volumedriver/1.0")
    chain = world.chain("a/plugin")
    error = await _error(chain)
    assert error.message.startswith(f"plugin a/plugin failed with error: {message}: until it can")
    assert "WHERRY_AUTHORIZATION_PLUGINS" in error.message
    (problem,) = await chain.problems()
    assert problem.startswith(f"a/plugin: {message}")


async def test_a_plugin_removed_by_force_allows_nothing(world: World) -> None:
    """A plugin that is gone without having been disabled was never taken out."""
    world.put("a")
    world.answer("a/plugin:latest", _ALLOW)
    chain = world.chain("a/plugin")
    await chain.before(_QUESTION)
    world.remove("a")
    assert 'plugin "a/plugin" not found' in (await _error(chain)).message


async def test_a_disabled_plugin_that_is_removed_stays_left_out(world: World) -> None:
    """To remove what was disabled changes nothing."""
    world.put("a")
    world.answer("a/plugin:latest", _ALLOW)
    chain = world.chain("a/plugin")
    await chain.before(_QUESTION)
    world.put("a", enabled=False)
    await chain.before(_QUESTION)
    world.remove("a")
    assert await chain.before(_QUESTION) == ()


async def test_no_managed_plugin_takes_a_legacy_one_s_place(world: World) -> None:
    """Who may create plugins can't put one in place of a legacy plugin that is asked."""
    (world.folder / "old.spec").write_text("tcp://127.0.0.1:1")
    wire = world.answer("old", {"Implements": ["authz"]}, _ALLOW)
    chain = world.chain("old")
    assert await chain.before(_QUESTION) == ("old",)
    revision = world.replica.inventory.revision + 1
    world.replica._apply(changed(revision, plugin("a", name="old:latest")))
    assert await chain.before(_QUESTION) == ("old",)
    assert wire.called == ["Plugin.Activate", *["AuthZPlugin.AuthZReq"] * 2]


async def test_a_plugin_that_is_restarted_is_waited_for(world: World) -> None:
    """A request that comes while the plugin's process is started anew is asked of the new one."""
    world.put("a", state=PluginState.RESTARTING)
    wire = world.answer("a/plugin:latest", _ALLOW)
    asking = asyncio.create_task(world.chain("a/plugin").before(_QUESTION))
    await asyncio.sleep(0)
    world.put("a")
    assert await asking == ("a/plugin:latest",)
    assert wire.called == ["AuthZPlugin.AuthZReq"]


async def test_a_plugin_that_does_not_run_allows_nothing(world: World) -> None:
    """A plugin whose process ended for good is not waited for."""
    world.put("a", state=PluginState.EXITED)
    error = await _error(world.chain("a/plugin"))
    assert isinstance(error, errdefs.Unavailable)
    assert "plugin a/plugin:latest is not running now (exited)" in error.message


async def test_a_silent_plugin_is_a_problem(world: World) -> None:
    """Once a plugin is left alone by its breaker, the health of the node says so."""
    world.put("a")
    world.answer("a/plugin:latest", refused())
    chain = world.chain("a/plugin")
    for _ in range(5):
        await _error(chain)
    (problem,) = await chain.problems()
    assert problem == "a/plugin:latest: does not answer, and is tried again in 5.0 s"


async def test_without_the_store_nothing_is_allowed(tmp_path: Path) -> None:
    """A gateway that does not know the plugins yet refuses."""
    world = World(tmp_path)
    world.replica._patience_s = 0.01
    error = await _error(world.chain("a/plugin"))
    assert isinstance(error, errdefs.Unavailable)
    assert len(await world.chain("a/plugin").problems()) == 1
