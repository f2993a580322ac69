"""One client a plugin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared import errdefs
from shared.plugin_rpc.breaker import BreakerSettings
from shared.plugin_rpc.client import ClientLimits, PluginClient
from shared.plugin_rpc.endpoint import Endpoint
from shared.plugin_rpc.endpoints import Endpoints
from tests.support.plugin_rpc import ENDPOINT, FakePlugin, FakeTime, client, refused
from tests.support.wait import eventually

_ELSEWHERE = replace(ENDPOINT, address="unix:///run/y/p.sock")
_QUICK = ClientLimits(breaker=BreakerSettings(threshold=1))


class World:
    """Plugins by their address."""

    def __init__(self, **answers: object) -> None:
        self.time = FakeTime()
        self.here = FakePlugin(answers.get("here", {"at": "here"}))
        self.there = FakePlugin(answers.get("there", {"at": "there"}))
        self.endpoints = Endpoints(self._make)

    def _make(self, endpoint: Endpoint) -> PluginClient:
        def find(found: Endpoint) -> FakePlugin:
            return self.there if found == _ELSEWHERE else self.here

        return client(find, self.time, endpoint=endpoint, limits=_QUICK)


async def test_a_plugin_that_stays_keeps_its_client() -> None:
    """The same endpoint has the same client, another plugin another one; all are closed."""
    world = World()
    first = world.endpoints.client(ENDPOINT)
    assert world.endpoints.client(replace(ENDPOINT)) is first
    assert world.endpoints.client(replace(_ELSEWHERE, name="q:latest")) is not first
    await world.endpoints.close()
    assert world.here.is_closed


async def test_a_plugin_that_was_started_anew_is_called_there() -> None:
    """Another socket is another process: what was known of the one before is forgotten."""
    world = World(here=refused())
    first = world.endpoints.client(ENDPOINT)
    with pytest.raises(errdefs.Unavailable):
        await first.call("M", deadline_s=1)
    assert first.retry_in_s == 5.0
    again = world.endpoints.client(_ELSEWHERE)
    assert again.retry_in_s is None
    assert await again.call("M", deadline_s=1) == {"at": "there"}
    await eventually(lambda: world.here.is_closed)
    assert not world.there.is_closed
    await world.endpoints.close()


async def test_a_call_follows_its_plugin() -> None:
    """A call that did not reach the plugin is sent again where it is by then."""
    world = World(here=refused())
    caller = world.endpoints.client(ENDPOINT, lambda: _ELSEWHERE)
    assert await caller.call("M", {"a": 1}, deadline_s=10) == {"at": "there"}
    assert world.time.slept_s == [1.0]
    assert caller.endpoint == _ELSEWHERE


async def test_a_call_stays_while_its_plugin_is_nowhere() -> None:
    """A plugin that is nowhere just now is looked for where it was."""
    world = World(here=refused())

    def nowhere() -> Endpoint:
        raise errdefs.Unavailable("not running")

    caller = world.endpoints.client(ENDPOINT, nowhere)
    with pytest.raises(errdefs.Unavailable, match=r"cannot be reached at unix:///run/x/p\.sock"):
        await caller.call("M", deadline_s=5)
    assert caller.endpoint == ENDPOINT
