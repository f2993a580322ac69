"""A pull is answered before its files are on the disk, and no loss of power takes it back."""

from __future__ import annotations

from shared import errdefs
from shared.contracts import job
from shared.contracts.plugin import Plugin
from shared.contracts.store import RemovePlugin
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually
from tests.unit.services.store.test_jobs import begin, commit, take
from tests.unit.services.store.test_startup import report

LAYERS = (f"sha256:{'e' * 64}",)


async def pulled(store: StoreUnderTest) -> Plugin:
    """Pull the plugin p; return its record."""
    store.fake_folders.staged.add("j")
    await begin(store, "j")
    taken = await take(store, "j")
    changed = await store.installation.commit(commit("j", taken.token), delivery("m"))
    plugin = changed.changes[0].plugin
    assert plugin is not None
    return plugin


async def cut_off(store: StoreUnderTest) -> tuple[StoreUnderTest, str]:
    """Pull, lose the power before anything was synced, and start again."""
    store.fake_folders.sync_refusal = OSError("too late")
    plugin = await pulled(store)
    await store.rootfs_sync.close()
    rootfs = f"{plugin.plugin_id}/{plugin.rootfs}"
    assert store.fake_folders.unsynced == {rootfs}
    store.fake_folders.sync_refusal = None
    return await store.restarted(with_host=True), rootfs


async def test_pull_is_answered_before_its_files_are_on_the_disk() -> None:
    """The sync runs in the background; once it is done nothing is noted any more."""
    store = StoreUnderTest()
    store.fake_folders.may_sync.clear()

    plugin = await pulled(store)

    assert [one.plugin_id for one in store.records.unsynced] == [plugin.plugin_id]
    store.fake_folders.may_sync.set()
    await eventually(lambda: not store.records.unsynced and not store.fake_folders.unsynced)
    await store.close()


async def test_end_waits_for_the_sync() -> None:
    """A store that is told to stop leaves no file that is only in memory."""
    store = StoreUnderTest()
    await pulled(store)

    await store.close()

    assert not store.fake_folders.unsynced
    assert not store.records.unsynced


async def test_loss_of_power_before_the_sync_has_the_files_made_anew() -> None:
    """They come from the layers' blobs, are noted no more, and the report names them."""
    again, rootfs = await cut_off(StoreUnderTest())

    assert again.fake_folders.rebuilt == [(rootfs, LAYERS)]
    assert (await report(again)).rebuilt_root_file_systems == (rootfs,)
    await eventually(lambda: not again.records.unsynced)
    await again.close()


async def test_crash_of_the_store_alone_rebuilds_nothing() -> None:
    """The kernel has the files: they are synced by the next store."""
    store = StoreUnderTest()
    store.fake_folders.sync_refusal = OSError("killed before")
    await pulled(store)
    await store.rootfs_sync.close()
    store.fake_folders.sync_refusal = None

    again = await store.restarted()

    await eventually(lambda: not again.records.unsynced)
    assert not again.fake_folders.rebuilt
    assert not again.fake_folders.unsynced
    await again.close()


async def test_loss_of_power_after_the_sync_rebuilds_nothing() -> None:
    """What a plugin has written into its root file system since stays."""
    store = StoreUnderTest()
    await pulled(store)
    await store.rootfs_sync.close()

    again = await store.restarted(with_host=True)

    assert not again.fake_folders.rebuilt
    await again.close()


async def test_rebuild_that_fails_is_tried_again_by_the_next_store() -> None:
    """It stays noted, whatever is synced meanwhile, and the store starts without it."""
    store = StoreUnderTest()
    store.fake_folders.sync_refusal = OSError("too late")
    await pulled(store)
    await store.rootfs_sync.close()
    store.fake_folders.sync_refusal = None
    store.fake_folders.refusal = errdefs.ResourceExhausted("the disk is full")

    again = await store.restarted(with_host=True)
    await again.rootfs_sync.close()

    assert again.records.unsynced
    again.fake_folders.refusal = None
    third = await again.restarted()
    assert [layers for _, layers in third.fake_folders.rebuilt] == [LAYERS]
    await eventually(lambda: not third.records.unsynced)
    await third.close()


async def test_plugin_that_is_removed_is_not_rebuilt() -> None:
    """With its record the note of it goes."""
    store = StoreUnderTest()
    store.fake_folders.sync_refusal = OSError("too late")
    plugin = await pulled(store)
    await store.rootfs_sync.close()
    await store.removal.remove(RemovePlugin(name=plugin.name), delivery("r"))

    again = await store.restarted(with_host=True)

    assert not again.records.unsynced
    assert not again.fake_folders.rebuilt
    await again.close()


async def test_upgrade_of_a_stopped_plugin_is_noted_in_place_of_the_version_before() -> None:
    """The root file system that is rebuilt is the new version's."""
    store = StoreUnderTest()
    store.fake_folders.sync_refusal = OSError("too late")
    old = await pulled(store)
    store.fake_folders.staged.add("u")
    await begin(store, "u", job.JobKind.UPGRADE)
    taken = await take(store, "u")
    await store.installation.commit(commit("u", taken.token), delivery("n"))
    await store.rootfs_sync.close()

    (noted,) = store.records.unsynced

    assert noted.plugin_id == old.plugin_id
    assert noted.rootfs == store.now(old).rootfs != old.rootfs
    await store.close()
