"""The verbs on volumes, and what becomes of those that were cut short."""

from __future__ import annotations

import pytest

from services.volume.domain.record import Kind, Operation, VolumeRecord
from shared import errdefs
from shared.contracts.store import Fact, PluginChanged
from shared.contracts.volume import (
    CreateVolume,
    GetVolume,
    ListVolumes,
    PruneVolumes,
    RemoveVolume,
    Volume,
)
from tests.support.gateway import plugin
from tests.support.store import delivery
from tests.support.volume import VolumeWorld
from tests.support.wait import all_have_run, eventually

OWNER = "volume/v"


@pytest.fixture
def world() -> VolumeWorld:
    """Give a service that knows no volume yet."""
    return VolumeWorld()


async def create(world: VolumeWorld, name: str = "v", driver: str = "p") -> Volume:
    """Create a volume."""
    command = CreateVolume(name=name, driver=driver)
    reply = await world.service.volumes.create(command, delivery())
    assert reply.volume is not None
    return reply.volume


async def remove(world: VolumeWorld, *, force: bool = False, message_id: str = "m") -> None:
    """Remove the volume."""
    command = RemoveVolume(name="v", force=force)
    await world.service.volumes.remove(command, delivery(message_id))


def record(**more: object) -> VolumeRecord:
    """Return the record of the plugin's volume."""
    made = VolumeRecord(name="v", driver="p:latest", is_held=True, created_at_ns=1)
    return made.model_copy(update=more)


async def test_the_plugin_is_held_before_it_hears_of_the_volume(world: VolumeWorld) -> None:
    """A lease comes first, then the driver, then the record with its fact."""
    world.refusal = errdefs.Conflict("plugin p found but disabled")
    with pytest.raises(errdefs.Conflict, match=r"^create v: plugin p found but disabled"):
        await create(world)
    assert world.driver.calls == []
    world.refusal = None

    shown = await create(world)

    assert (shown.scope, shown.driver, shown.mountpoint) == ("global", "p:latest", "")
    assert world.owners == {OWNER}
    assert world.records.told == [("create", "v")]
    assert world.records.operations == {}


async def test_a_refused_create_lets_go(world: VolumeWorld) -> None:
    """The driver's words are told; no lease, no record and no journal remains."""
    world.driver.errors["create"] = errdefs.Error("no room")
    with pytest.raises(errdefs.Error, match=r"^create v: no room"):
        await create(world)

    assert (world.owners, world.records.volumes, world.records.operations) == (set(), {}, {})
    assert world.records.told == []


async def test_a_lease_that_cannot_be_released_is_released_later(world: VolumeWorld) -> None:
    """While the store is away a removal succeeds; its journal goes on until the plugin is free."""
    await create(world)
    world.refusal = errdefs.Unavailable("no store")
    await remove(world)
    assert world.records.operations["v"].kind is Kind.RELEASE
    with pytest.raises(errdefs.Unavailable, match="no store"):
        await create(world)

    world.refusal = None
    await world.restart()
    await create(world)

    assert world.owners == {OWNER}
    assert world.records.told == [("create", "v"), ("destroy", "v"), ("create", "v")]


async def test_create_of_what_is_there_changes_nothing(world: VolumeWorld) -> None:
    """The same driver, or none, returns the volume; another one is a conflict."""
    await create(world)
    for driver in ("p", "p:latest", ""):
        assert (await create(world, driver=driver)).name == "v"
    with pytest.raises(errdefs.Conflict, match="driver 'p:latest' already has volume 'v'"):
        await create(world, driver="local")
    assert world.records.told == [("create", "v")]


async def test_create_beside_a_driver_that_does_not_answer_is_refused(world: VolumeWorld) -> None:
    """Whether the volume still exists cannot be told, so its name stays taken."""
    await create(world)
    world.driver.errors["get"] = errdefs.Unavailable("it sleeps")
    with pytest.raises(errdefs.Conflict, match=r"got an error while checking the driver: .*sleeps"):
        await create(world)


async def test_a_volume_that_its_driver_lost_can_be_made_again(world: VolumeWorld) -> None:
    """A create finds the record stale and begins anew."""
    await create(world)
    world.driver.volumes.clear()

    await create(world)

    assert list(world.driver.volumes) == ["v"]
    assert world.records.told == [("create", "v"), ("destroy", "v"), ("create", "v")]


@pytest.mark.parametrize("made", [True, False])
async def test_a_create_cut_short_goes_where_the_driver_is(world: VolumeWorld, made: bool) -> None:
    """Forward when the driver has the volume, back when it has not, and the lease follows."""
    world.records.operations["v"] = Operation(kind=Kind.CREATE, record=record())
    world.owners.add(OWNER)
    if made:
        world.driver.volumes["v"] = {}
    await world.restart(kill=True)

    await world.service.volumes.operations.settle("v")

    assert world.owners == ({OWNER} if made else set())
    assert list(world.records.volumes) == (["v"] if made else [])
    assert world.records.operations == {}
    assert world.records.told == ([("create", "v")] if made else [])


async def test_a_create_cut_short_waits_for_a_driver_that_does_not_answer(
    world: VolumeWorld,
) -> None:
    """Nothing is decided while nobody can tell whether the volume was made."""
    world.records.operations["v"] = Operation(kind=Kind.CREATE, record=record())
    world.driver.errors["get"] = errdefs.DeadlineExceeded("it sleeps")
    await world.restart(kill=True)
    with pytest.raises(errdefs.DeadlineExceeded):
        await world.service.volumes.operations.settle("v")
    assert world.records.operations["v"].kind is Kind.CREATE

    world.plugins.error = errdefs.Conflict("plugin p found but disabled")
    await world.service.volumes.operations.settle("v")
    assert world.records.operations == {}


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_remove_cut_short_goes_forward(world: VolumeWorld, is_there: bool) -> None:
    """Whether the driver had come to it or not, the volume is gone and told so once."""
    await create(world)
    world.records.operations["v"] = Operation(kind=Kind.REMOVE, record=record(), message_id="m")
    if not is_there:
        world.driver.volumes.clear()
    await world.restart(kill=True)

    await remove(world, message_id="m")

    assert (world.owners, world.driver.volumes, world.records.volumes) == (set(), {}, {})
    assert world.records.told == [("create", "v"), ("destroy", "v")]


async def test_a_remove_that_the_driver_refuses_leaves_the_volume(world: VolumeWorld) -> None:
    """So does one that was cut short; with force, the record goes all the same."""
    await create(world)
    world.driver.errors["remove"] = errdefs.Error("somebody is in it")
    with pytest.raises(errdefs.Error, match=r"^remove v: somebody is in it"):
        await remove(world)
    world.records.operations["v"] = Operation(kind=Kind.REMOVE, record=record())
    await world.restart(kill=True)
    await world.service.volumes.operations.settle("v")
    assert list(world.records.volumes) == ["v"]
    assert world.records.operations == {}

    with pytest.raises(errdefs.Error, match="somebody is in it"):
        await remove(world, force=True)
    assert (world.records.volumes, world.owners) == ({}, set())


async def test_a_redelivered_remove_gets_the_first_reply(world: VolumeWorld) -> None:
    """Its second arrival does not remove a volume that was made since."""
    await create(world)
    await remove(world, message_id="one")
    await create(world)

    await remove(world, message_id="one")

    assert list(world.records.volumes) == ["v"]
    with pytest.raises(errdefs.NotFound, match=r"^get w: no such volume"):
        await world.service.volumes.remove(RemoveVolume(name="w"), delivery())


async def test_remove_of_a_lost_volume_forgets_it(world: VolumeWorld) -> None:
    """It answers that there is none, and lets the plugin go."""
    await create(world)
    world.driver.volumes.clear()
    with pytest.raises(errdefs.NotFound, match=r"^get v: no such volume"):
        await remove(world)
    assert (world.records.volumes, world.owners) == ({}, set())


async def test_force_forgets_a_volume_whose_plugin_is_gone(world: VolumeWorld) -> None:
    """Without force the reason is told."""
    await create(world)
    world.plugins.error = errdefs.NotFound('plugin "p:latest" not found')
    text = 'get v: error while checking if volume "v" exists in driver "p:latest": error looking'
    with pytest.raises(errdefs.NotFound, match=text):
        await remove(world)

    await remove(world, force=True)

    assert world.records.volumes == {}


async def test_local_volumes_need_no_store(world: VolumeWorld) -> None:
    """They hold no plugin, so that they work while nobody can tell which there are."""
    world.refusal = world.plugins.error = errdefs.Unavailable("no store")
    await create(world, driver="local")
    await create(world, "other", driver="")

    listed = await world.service.listing.list_all(ListVolumes(), delivery())

    assert [volume.name for volume in listed.volumes] == ["other", "v"]
    assert listed.warnings == ("list: error listing plugins: no store",)
    assert world.owners == set()


async def test_a_list_waits_for_no_driver_longer_than_its_time(world: VolumeWorld) -> None:
    """What is known of a silent driver's volumes is shown, with a warning that names it."""
    await create(world)
    await create(world, "here", driver="local")
    world.driver.silent.add("list")

    listed = await world.service.listing.list_all(ListVolumes(), delivery())

    assert [volume.name for volume in listed.volumes] == ["here", "v"]
    (warning,) = listed.warnings
    assert warning == "list p:latest: the driver did not answer within 0.05 s"


async def test_a_name_belongs_to_the_driver_of_its_record(world: VolumeWorld) -> None:
    """A plugin that lists a name of another driver's volume does not take it over."""
    await create(world, driver="local")
    world.driver.volumes |= {"v": {}, "w": {}}

    listed = await world.service.listing.list_all(ListVolumes(), delivery())

    assert [(v.name, v.driver) for v in listed.volumes] == [("v", "local"), ("w", "p:latest")]
    only = await world.service.listing.list_all(ListVolumes(drivers=("local",)), delivery())
    assert [volume.name for volume in only.volumes] == ["v"]


async def test_a_strange_volume_is_shown_and_removed(world: VolumeWorld) -> None:
    """One that only its driver knows is found by asking all, even when one is silent."""
    world.driver.volumes["v"] = {}
    world.local.silent.add("get")
    found = await world.service.volumes.get(GetVolume(name="v"), delivery())
    assert (found.volume.driver, found.volume.scope) == ("p:latest", "global")

    await remove(world)

    assert world.driver.volumes == {}


async def test_prune_spares_what_is_not_plain_or_not_labelled(world: VolumeWorld) -> None:
    """Only local volumes without options go, by their labels; two prunes at once are refused."""
    volumes = world.service.volumes
    for name, options, labels in (
        ("plain", None, {"a": "1"}),
        ("labelled", None, {"a": "1", "keep": ""}),
        ("mounted", {"type": "tmpfs", "device": "tmpfs"}, {"a": "1"}),
        ("other", None, None),
    ):
        command = CreateVolume(name=name, driver="local", options=options, labels=labels)
        await volumes.create(command, delivery())

    prune = PruneVolumes(labels=("a=1",), without_labels=("keep",))
    pruned = await world.service.space.prune(prune, delivery())

    assert (pruned.names, pruned.reclaimed_bytes) == (("plain",), 7)
    assert world.records.told[-2:] == [("destroy", "plain"), ("prune", "")]


async def test_leases_are_renewed_for_volumes_that_are_there(world: VolumeWorld) -> None:
    """A removed one's is not, a disabled plugin is no fault, a store that is away is one."""
    await create(world)
    world.owners.clear()
    assert await world.service.renewals.renew_all()
    assert world.owners == {OWNER}

    world.refusal = errdefs.Conflict("plugin p found but disabled")
    assert await world.service.renewals.renew_all()
    world.refusal = errdefs.Unavailable("no store")
    assert not await world.service.renewals.renew_all()

    world.refusal = None
    await remove(world)
    assert await world.service.renewals.renew_all()
    assert world.owners == set()


@pytest.mark.parametrize("action", ["enable", "upgrade"])
async def test_a_plugin_that_was_enabled_or_handed_over_is_held(
    world: VolumeWorld, action: str
) -> None:
    """Its volumes' leases are acquired anew; what happens to other plugins does not matter."""
    await create(world)
    await world.service.start()
    await all_have_run()
    world.owners.clear()
    facts = (Fact(action=action, actor_id="i", time_ns=1),)
    for name in ("other", "p"):
        new = plugin(name=f"{name}:latest", enabled=True)
        change = PluginChanged(epoch="s", revision=1, plugin_id="i", plugin=new, facts=facts)
        await world.service.renewals.plugin_changed(change, delivery())
    await eventually(lambda: world.owners == {OWNER})

    world.owners.clear()
    await world.service.renewals.plugin_changed(change.model_copy(update={"facts": ()}), delivery())
    await all_have_run()
    await world.service.close()
    assert world.owners == set()
    assert world.plugins.noted == ["i", "i", "i"]
