"""Create, set and remove, on folders and content that are sets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared import errdefs
from shared.contracts import executor
from shared.contracts.executor import Resources
from shared.contracts.store import (
    CollectGarbage,
    CreatePlugin,
    DisablePlugin,
    EnablePlugin,
    LimitPlugin,
    RemovePlugin,
    SetPlugin,
)
from tests.support.store import CONFIG, StoreUnderTest, delivery
from tests.support.wait import eventually


def command(store: StoreUnderTest, name: str = "p", config: bytes = CONFIG) -> CreatePlugin:
    """Return a create of a context that is spooled."""
    path = Path(f"/spool/{len(store.fake_folders.contexts)}.tar")
    store.fake_folders.contexts[path] = config
    return CreatePlugin(name=name, context_path=str(path))


async def test_created_plugin_is_stopped_and_complete() -> None:
    """Create gives a disabled plugin with Docker's config, its blobs and one event."""
    store = StoreUnderTest()

    changed = await store.creation.create(command(store, "a/b"), delivery())

    plugin = changed.changes[-1].plugin
    assert plugin is not None
    assert (plugin.name, plugin.enabled) == ("a/b:latest", False)
    assert plugin.config["rootfs"]["diff_ids"] == [f"sha256:{'b' * 64}"]
    assert plugin.settings["Env"] == ["DEBUG=0"]
    assert store.fake_folders.installed == {plugin.plugin_id}
    assert not store.fake_folders.contexts
    assert store.records.actions() == ["create"]


async def test_losers_of_a_race_for_a_name_are_told_that_it_is_taken() -> None:
    """Of several creates of one name one wins; the others get 409's error and leave nothing."""
    store = StoreUnderTest()

    results = await asyncio.gather(
        *(store.creation.create(command(store), delivery()) for _ in range(4)),
        return_exceptions=True,
    )

    lost = [result for result in results if isinstance(result, errdefs.AlreadyExists)]
    assert [error.message for error in lost] == ["plugin p:latest already exists"] * 3
    assert len(store.fake_folders.installed) == 1
    assert not store.fake_folders.contexts


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("A/B", "failed to parse reference A/B: invalid reference format"),
        (f"p@sha256:{'a' * 64}", "canonical references are not permitted"),
    ],
)
async def test_name_that_dockerd_refuses_is_refused_in_its_words(name: str, message: str) -> None:
    """A bad name is an error without a class in dockerd, and the context is gone."""
    store = StoreUnderTest()

    with pytest.raises(errdefs.InvalidArgument) as refused:
        await store.creation.create(command(store, name), delivery())

    assert refused.value.message.startswith(message)
    assert refused.value.docker_unclassed
    assert not store.fake_folders.contexts


async def test_config_that_is_no_json_leaves_nothing() -> None:
    """A context whose config can't be read is refused and its files are discarded."""
    store = StoreUnderTest()

    with pytest.raises(errdefs.InvalidArgument, match="failed to parse config: "):
        await store.creation.create(command(store, config=b"{nope"), delivery())

    assert not store.fake_folders.staged
    assert not store.inventory.all()


async def test_plugin_that_wants_a_bridge_is_refused() -> None:
    """A network that the node does not have is told at once, and nothing is left."""
    store = StoreUnderTest()
    config = b'{"network": {"type": "bridge"}, "interface": {"socket": "p.sock"}}'

    with pytest.raises(errdefs.Unimplemented, match="plugin p:latest asks for network bridge"):
        await store.creation.create(command(store, config=config), delivery())

    assert not store.fake_folders.staged
    assert not store.inventory.all()


async def test_what_the_author_declares_is_kept_with_the_plugin() -> None:
    """The key Wherry of config.json is in the record, and Docker's config does not show it."""
    store = StoreUnderTest()
    config = b'{"interface": {"socket": "p.sock"}, "Wherry": {"Restart": "on-failure:3"}}'

    await store.creation.create(command(store, config=config), delivery())

    (plugin,) = store.inventory.all()
    assert plugin.extension.restart == "on-failure:3"
    assert "Wherry" not in plugin.config


async def test_declaration_that_can_not_be_meant_is_refused() -> None:
    """A policy that does not exist is told by name, and nothing is left."""
    store = StoreUnderTest()
    config = b'{"interface": {"socket": "p.sock"}, "Wherry": {"Restart": "sometimes"}}'

    with pytest.raises(errdefs.InvalidArgument, match="Wherry: restart policy sometimes is"):
        await store.creation.create(command(store, config=config), delivery())

    assert not store.fake_folders.staged
    assert not store.inventory.all()


async def test_failed_create_has_its_blobs_collected() -> None:
    """Blobs that a create wrote before it failed go with it."""
    store = StoreUnderTest()
    store.content.digests.add(f"sha256:{'f' * 64}")

    with pytest.raises(errdefs.InvalidArgument):
        await store.creation.create(command(store, config=b"{nope"), delivery())

    await eventually(lambda: not store.content.digests)


async def test_remove_of_an_enabled_plugin_needs_force() -> None:
    """An enabled plugin is refused in dockerd's words, and removed with force."""
    store = StoreUnderTest()
    plugin = await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    with pytest.raises(errdefs.Conflict) as refused:
        await store.removal.remove(RemovePlugin(name="p"), delivery())
    await store.removal.remove(RemovePlugin(name=plugin.plugin_id[:5], force=True), delivery())

    assert refused.value.message == "plugin p:latest is enabled"
    assert store.records.actions() == ["enable", "remove"]
    assert not store.executor.containers


async def test_remove_whose_unmount_fails_is_finished_later() -> None:
    """A busy mount is told to the client; the plugin goes as soon as it is free."""
    store = StoreUnderTest()
    plugin = await store.install()
    store.executor.refusals[executor.ClearLeftovers] = errdefs.Conflict("busy")
    with pytest.raises(errdefs.Conflict, match="busy"):
        await store.removal.remove(RemovePlugin(name="p"), delivery())

    store.executor.refusals.clear()

    await eventually(lambda: store.inventory.get(plugin.plugin_id) is None)
    await store.close()


async def test_set_applies_all_or_nothing() -> None:
    """A bad argument behind a good one leaves the settings as they were."""
    store = StoreUnderTest()
    plugin = await store.install()

    with pytest.raises(errdefs.InvalidArgument, match="not found in the plugin configuration"):
        await store.settings.set(SetPlugin(name="p", args=("DEBUG=1", "NOPE=1")), delivery())
    before = store.now(plugin).settings["Env"]
    await store.settings.set(SetPlugin(name="p", args=("DEBUG=1",)), delivery())

    assert before == ["DEBUG=0"]
    assert store.now(plugin).settings["Env"] == ["DEBUG=1"]
    assert store.now(plugin).config["Env"][0]["Value"] == "0"


async def test_set_on_an_enabled_plugin_is_refused() -> None:
    """Settings change only while the plugin is stopped."""
    store = StoreUnderTest()
    await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    with pytest.raises(errdefs.Conflict) as refused:
        await store.settings.set(SetPlugin(name="p", args=("DEBUG=1",)), delivery())
    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    assert refused.value.message == "cannot set on an active plugin, disable plugin before setting"
    assert refused.value.docker_unclassed


async def test_limits_hold_from_the_next_start_on() -> None:
    """Limits are kept in the record, replaced whole, told as an update, and go with the start."""
    store = StoreUnderTest()
    plugin = await store.install()
    for limits in (Resources(memory_bytes=2**26, cpus=0.5), Resources(memory_bytes=2**26, pids=9)):
        await store.settings.limit(LimitPlugin(name="p", resources=limits), delivery())
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    (start,) = (sent for sent in store.executor.sent if isinstance(sent, executor.StartContainer))
    assert store.now(plugin).resources == Resources(memory_bytes=2**26, pids=9)
    assert start.config.resources == store.now(plugin).resources
    assert store.records.actions() == ["update", "update", "enable"]


async def test_limits_of_an_enabled_plugin_are_refused() -> None:
    """A limit changes only while the plugin is stopped."""
    store = StoreUnderTest()
    plugin = await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    command = LimitPlugin(name="p", resources=Resources(pids=1))
    with pytest.raises(errdefs.Conflict, match="cannot limit plugin p:latest while it is enabled"):
        await store.settings.limit(command, delivery())

    assert store.now(plugin).resources == Resources()


async def test_collector_keeps_out_while_blobs_are_added() -> None:
    """Blobs that do not belong to a plugin yet are not collected; garbage is."""
    store = StoreUnderTest()
    async with store.garbage.kept_out():
        await store.content.put(b"new")
        collecting = asyncio.create_task(store.garbage.collect())
        await asyncio.sleep(0)
        assert store.content.digests

    await collecting

    assert not store.content.digests


async def test_collector_tells_before_it_deletes() -> None:
    """A dry run names what would go, and leaves it."""
    store = StoreUnderTest()
    blob = await store.content.put(b"garbage")

    told = await store.garbage.collect_for(CollectGarbage(dry_run=True), delivery())
    kept = set(store.content.digests)
    gone = await store.garbage.collect_for(CollectGarbage(), delivery())

    assert told == gone
    assert told.digests == (blob.digest,)
    assert kept == {blob.digest}
    assert not store.content.digests
