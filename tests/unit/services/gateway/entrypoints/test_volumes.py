"""Docker's routes about volumes, over a stand-in for the service."""

from __future__ import annotations

from shared import errdefs
from shared.contracts.event import FeedPosition
from shared.contracts.volume import (
    CreateVolume,
    GetUsage,
    GetVolume,
    ListVolumes,
    PruneVolumes,
    RemoveVolume,
    UsageReport,
    Volume,
    VolumeFound,
    VolumeList,
    VolumeReply,
    VolumesPruned,
)
from tests.support.gateway_app import AppWorld

VOLUME = Volume(name="a/b", driver="local")


async def test_create(world: AppWorld) -> None:
    """A volume answers 201; readers of events then count on what was told of it."""
    world.sender.answers[CreateVolume] = VolumeReply(epoch="v", revision=3, volume=VOLUME)

    response = await world.client.post("/volumes/create", json={"Name": "a/b", "Driver": "p"})

    assert (response.status_code, response.json()["Name"]) == (201, "a/b")
    (call,) = world.sender.calls
    assert call.command == CreateVolume(name="a/b", driver="p")
    assert call.timeout_s > 120 + 60
    assert FeedPosition(source="volume", epoch="v", revision=3) in world.feed.positions()


async def test_inspect_and_list(world: AppWorld) -> None:
    """Names may hold slashes; drivers are asked for, names are filtered here."""
    world.sender.answers[GetVolume] = VolumeFound(volume=VOLUME)
    other = Volume(name="other", driver="local")
    world.sender.answers[ListVolumes] = VolumeList(volumes=(VOLUME, other), warnings=("late",))

    assert (await world.get("/v1.44/volumes/a/b")).json()["Name"] == "a/b"
    filters = '{"driver": ["local"], "name": ["^a"]}'
    listed = (await world.get("/volumes", filters=filters)).json()

    assert [volume["Name"] for volume in listed["Volumes"]] == ["a/b"]
    assert listed["Warnings"] == ["late"]
    assert world.sender.sent == [GetVolume(name="a/b"), ListVolumes(drivers=("local",))]


async def test_remove(world: AppWorld) -> None:
    """It answers 204 without a body, or what the service says."""
    world.sender.answers[RemoveVolume] = VolumeReply(epoch="v", revision=4)
    assert (await world.client.delete("/volumes/a/b?force=1")).status_code == 204
    assert world.sender.sent == [RemoveVolume(name="a/b", force=True)]

    world.sender.answers[RemoveVolume] = errdefs.Conflict("remove a: volume is in use - [c]")
    response = await world.client.delete("/volumes/a")
    assert (response.status_code, response.json()) == (
        409,
        {"message": "remove a: volume is in use - [c]"},
    )


async def test_prune_depends_on_the_version(world: AppWorld) -> None:
    """Clients before 1.42 prune volumes with names as well."""
    world.sender.answers[PruneVolumes] = VolumesPruned(
        epoch="v", revision=5, names=("a",), reclaimed_bytes=7
    )
    for path, labels in (
        ("/volumes/prune", ("com.docker.volume.anonymous",)),
        ("/v1.42/volumes/prune", ("com.docker.volume.anonymous",)),
        ("/v1.41/volumes/prune", ()),
    ):
        answer = await world.client.post(path)
        assert answer.json() == {"VolumesDeleted": ["a"], "SpaceReclaimed": 7}
        assert world.sender.sent[-1] == PruneVolumes(labels=labels)


async def test_only_what_is_asked_for_is_measured(world: AppWorld) -> None:
    """Types count from API 1.42 on; the service is asked only for volumes."""
    world.sender.answers[GetUsage] = UsageReport(volumes=())
    shown = (await world.client.get("/system/df?type=image&type=build-cache")).json()
    assert shown == {
        "LayersSize": 0,
        "Images": [],
        "Containers": None,
        "Volumes": None,
        "BuildCache": [],
    }
    assert world.sender.sent == []
    assert (await world.client.get("/v1.41/system/df?type=image")).json()["Volumes"] == []
    assert world.sender.sent == [GetUsage()]
