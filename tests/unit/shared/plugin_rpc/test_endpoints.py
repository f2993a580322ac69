"""One client a plugin."""

from __future__ import annotations

from dataclasses import replace

from shared.plugin_rpc.client import PluginClient
from shared.plugin_rpc.endpoint import Endpoint
from shared.plugin_rpc.endpoints import Endpoints
from tests.support.plugin_rpc import ENDPOINT, FakePlugin, client
from tests.support.wait import eventually


async def test_a_plugin_that_stays_keeps_its_client() -> None:
    """The same endpoint has the same client, another plugin another one."""
    made: list[FakePlugin] = []

    def make(endpoint: Endpoint) -> PluginClient:
        made.append(FakePlugin({}))
        return client(made[-1], endpoint=endpoint)

    endpoints = Endpoints(make)
    first = endpoints.client(ENDPOINT)
    assert endpoints.client(replace(ENDPOINT)) is first
    assert endpoints.client(replace(ENDPOINT, name="q:latest")) is not first
    await endpoints.close()
    assert [plugin.is_closed for plugin in made] == [True, True]


async def test_a_plugin_that_was_started_anew_has_a_new_client() -> None:
    """Another socket is another process: what was known of the one before is forgotten."""
    made: list[FakePlugin] = []

    def make(endpoint: Endpoint) -> PluginClient:
        made.append(FakePlugin({}))
        return client(made[-1], endpoint=endpoint)

    endpoints = Endpoints(make)
    first = endpoints.client(ENDPOINT)
    second = endpoints.client(replace(ENDPOINT, address="unix:///run/y/p.sock"))
    assert second is not first
    await eventually(lambda: made[0].is_closed)
    assert not made[1].is_closed
    await endpoints.close()
