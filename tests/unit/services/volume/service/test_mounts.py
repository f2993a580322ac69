"""Volumes in use: who holds them, through crashes, reboots and plugins that are gone."""

from __future__ import annotations

import pytest

from services.volume.domain.record import Holder
from shared import errdefs
from shared.contracts.volume import (
    CreateVolume,
    GetVolumePath,
    ListMounts,
    MountVolume,
    ReleaseNode,
    RemoveVolume,
    UnmountVolume,
)
from tests.support.store import delivery
from tests.support.volume import VolumeWorld


@pytest.fixture
async def world() -> VolumeWorld:
    """Give a service with one volume of a plugin."""
    world = VolumeWorld()
    command = CreateVolume(name="v", driver="p")
    await world.service.volumes.create(command, delivery())
    world.driver.calls.clear()
    return world


async def mount(world: VolumeWorld, owner: str = "c1", name: str = "v") -> str:
    """Mount the volume."""
    command = MountVolume(name=name, owner=owner)
    return (await world.service.mounts.mount(command, delivery())).mountpoint


async def unmount(world: VolumeWorld, owner: str = "c1") -> None:
    """Unmount the volume."""
    await world.service.mounts.unmount(UnmountVolume(name="v", owner=owner), delivery())


async def test_an_owner_mounts_once(world: VolumeWorld) -> None:
    """A repeat returns the same place and calls nobody; the end of it, too."""
    assert await mount(world) == await mount(world) == "/host/v"
    assert world.driver.calls == ["get", "mount"]
    listed = await world.service.mounts.list(ListMounts(name="v"), delivery())
    assert [(m.owner, m.mountpoint) for m in listed.mounts] == [("c1", "/host/v")]

    await unmount(world)
    await unmount(world)

    assert world.driver.calls == ["get", "mount", "unmount"]
    assert world.records.holders == {}


async def test_a_held_volume_is_not_removed(world: VolumeWorld) -> None:
    """Not even by force; the error names who holds it."""
    await mount(world, "b")
    await mount(world, "a")
    with pytest.raises(errdefs.Conflict, match=r"^remove v: volume is in use - \[a, b\]"):
        await world.service.volumes.remove(RemoveVolume(name="v", force=True), delivery())


async def test_a_mount_that_fails_holds_nothing(world: VolumeWorld) -> None:
    """The reason is told, and the owner is none."""
    world.driver.errors["mount"] = errdefs.Error("no such disk")
    with pytest.raises(errdefs.Error, match=r"^mount v: no such disk"):
        await mount(world)
    assert world.records.holders == {}


async def test_an_unmount_that_fails_can_be_repeated(world: VolumeWorld) -> None:
    """The owner holds it until the driver has let go."""
    await mount(world)
    world.driver.errors["unmount"] = errdefs.Error("busy")
    with pytest.raises(errdefs.Error, match=r"^unmount v: busy"):
        await unmount(world)
    assert len(world.records.holders) == 1

    world.plugins.error = errdefs.Conflict("plugin p found but disabled")
    await unmount(world)
    assert world.records.holders == {}


async def test_a_mount_cut_short_is_ended(world: VolumeWorld) -> None:
    """An owner that has had no answer holds nothing after the next start."""
    await mount(world)
    world.records.holders["v", "c1"] = world.records.holders["v", "c1"].model_copy(
        update={"mountpoint": ""}
    )
    await world.restart(kill=True)

    await world.service.mounts.settle("v")

    assert world.driver.mounted == set()
    assert world.records.holders == {}


async def test_mounts_end_with_their_boot(world: VolumeWorld) -> None:
    """After a reboot nobody holds what was mounted before it."""
    await mount(world)
    world.boot_id = "boot 2"
    await world.restart(kill=True)

    await world.service.mounts.forget_earlier_boots()

    assert world.records.holders == {}


async def test_the_end_of_the_node_ends_all_mounts(world: VolumeWorld) -> None:
    """What cannot be unmounted does not keep the rest from it."""
    await world.service.volumes.create(CreateVolume(name="l", driver="local"), delivery())
    await mount(world)
    await mount(world, name="l")
    world.driver.errors["unmount"] = errdefs.Error("busy")

    await world.service.mounts.release_node(ReleaseNode(), delivery())

    assert [holder.name for holder in world.records.holders.values()] == ["v"]


async def test_a_strange_volume_is_taken_in_by_its_first_mount(world: VolumeWorld) -> None:
    """It holds the plugin from then on; one that nobody has is not found."""
    world.driver.volumes["w"] = {}
    await mount(world, name="w")
    assert world.owners == {"volume/v", "volume/w"}
    with pytest.raises(errdefs.NotFound, match=r"^mount x: no such volume"):
        await mount(world, name="x")


async def test_an_owner_is_a_word_without_a_slash(world: VolumeWorld) -> None:
    """It is a part of a path."""
    for owner in ("", "a/b", "a\nb", "x" * 256):
        with pytest.raises(errdefs.InvalidArgument, match="without a slash"):
            await mount(world, owner)


async def test_a_path_is_the_drivers_word(world: VolumeWorld) -> None:
    """It is asked for each time."""
    path = await world.service.mounts.path(GetVolumePath(name="v"), delivery())
    assert path.mountpoint == "/host/v"
    with pytest.raises(errdefs.NotFound, match=r"^get w: no such volume"):
        await world.service.mounts.path(GetVolumePath(name="w"), delivery())


def test_a_holder_is_kept_whole() -> None:
    """What is kept of it is read as it was written."""
    holder = Holder(name="v", owner="c", since_ns=1, boot_id="b")
    assert Holder.model_validate_json(holder.model_dump_json()) == holder
