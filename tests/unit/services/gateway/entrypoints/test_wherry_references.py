"""Leases in /wherry/v1: what the store is asked for, and what a client is told."""

from __future__ import annotations

from shared import errdefs
from shared.contracts.reference import (
    GetMode,
    GetPlugin,
    GotPlugin,
    ListReferences,
    Reference,
    ReferenceList,
)
from shared.contracts.store import EnablePlugin
from tests.support.gateway import changed, plugin, plugin_id, reply
from tests.support.gateway_app import AppWorld

PATH = "/wherry/v1/plugins/registry.example:5000/a/plugin:v1/references"
NAME = "registry.example:5000/a/plugin:v1"
LEASE = Reference(
    plugin_id=plugin_id("a"),
    owner="volume/data1",
    capability="volumedriver",
    since_ns=1,
    ttl_s=60,
    until_ns=2,
)


async def test_list(world: AppWorld) -> None:
    """A plugin's leases are shown with its canonical name."""
    world.sender.answers[ListReferences] = ReferenceList(plugin=plugin("a"), references=(LEASE,))

    response = await world.get(PATH)

    assert response.status_code == 200
    assert response.json() == {"plugin": "a/plugin:latest", "references": [LEASE.model_dump()]}
    assert world.sender.sent == [ListReferences(name=NAME)]


async def test_acquire(world: AppWorld) -> None:
    """The lease that was acquired is the answer; the wait covers a plugin that starts."""
    world.sender.answers[GetPlugin] = GotPlugin(plugin=plugin("a"), reference=LEASE)
    wish = {"owner": "volume/data1", "capability": "volumedriver", "ttl_s": 60}

    response = await world.client.post(PATH, json=wish)

    assert (response.status_code, response.json()) == (200, LEASE.model_dump())
    (call,) = world.sender.calls
    assert call.command == GetPlugin(name=NAME, mode=GetMode.ACQUIRE, **wish)
    assert call.timeout_s == 60.0


async def test_acquire_needs_owner_capability_and_time(world: AppWorld) -> None:
    """A wish that lacks something is refused and not sent."""
    response = await world.client.post(PATH, json={"owner": "volume/data1"})

    assert response.status_code == 400
    assert "body.capability: Field required" in response.json()["message"]
    assert world.sender.sent == []


async def test_release(world: AppWorld) -> None:
    """Plugin and owner are told apart, though a plugin's name may look like the rest of a path."""
    world.sender.answers[GetPlugin] = GotPlugin(plugin=plugin("a"))

    response = await world.client.delete(f"{PATH}/references/user/Ann's%20backup")

    assert response.status_code == 204
    expected = GetPlugin(name=f"{NAME}/references", mode=GetMode.RELEASE, owner="user/Ann's backup")
    assert world.sender.sent == [expected]


async def test_refusals_have_the_status_of_their_class(world: AppWorld) -> None:
    """A disabled plugin is 409; a capability that it lacks is 400, where dockerd says 500."""
    wish = {"owner": "volume/data1", "capability": "foobar", "ttl_s": 60}
    for error, status in (
        (errdefs.Conflict("plugin a found but disabled"), 409),
        (errdefs.InvalidArgument("does not provide", docker_unclassed=True), 400),
    ):
        world.sender.answers[GetPlugin] = error

        response = await world.client.post(PATH, json=wish)

        assert (response.status_code, response.json()["message"]) == (status, error.message)


async def test_enabled_plugins_of_a_capability(world: AppWorld) -> None:
    """With `capability` the list has the enabled plugins that provide it, in any case."""
    authz = {"Interface": {"Types": ["docker.authz/1.0"]}}
    others = plugin("b", enabled=True), plugin("c", enabled=True, config=authz)
    news = reply(*(changed(number, other) for number, other in enumerate(others, start=5)))
    world.sender.answers[EnablePlugin] = news
    await world.client.post("/plugins/b/enable?timeout=0")

    async def names(capability: str) -> list[str]:
        listed = await world.get("/wherry/v1/plugins", capability=capability)
        return [shown["name"][0] for shown in listed.json()["plugins"]]

    assert await names("VolumeDriver") == ["b"]
    assert await names("authz") == ["c"]
    assert await names("auth") == []
    assert await names("") == ["a", "b", "c"]
