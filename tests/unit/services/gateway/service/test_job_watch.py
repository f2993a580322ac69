"""Following a job: what it tells, and its end even where nobody told it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.gateway.ports import Lost
from services.gateway.service.feed import Feed
from services.gateway.service.job_watch import End, JobWatch, Step
from services.gateway.service.jobs import Jobs
from services.gateway.service.replica import Replica
from services.gateway.service.visibility import Visibility
from shared import errdefs
from shared.contracts.job import GetJob, JobEnded, JobReply, JobState
from shared.contracts.store import GetInventory
from tests.support.bus import FakeSender
from tests.support.gateway import FakeChanges, changed, plugin, plugin_id, reply, snapshot
from tests.support.gateway_jobs import FakeFollower, FakeVault, job, waiting
from tests.support.wait import eventually

_CANCELLED = errdefs.Conflict("the job was cancelled")


@dataclass
class _World:
    sender: FakeSender
    replica: Replica
    follower: FakeFollower
    watch: JobWatch

    async def follow(self) -> list[Step | End]:
        async with asyncio.timeout(5):
            return [item async for item in self.watch.follow("j1")]

    def answer(self, state: JobState, error: errdefs.Error | None = None) -> None:
        wire = None if error is None else error.to_wire()
        self.sender.answers[GetJob] = JobReply(job=job(state=state, error=wire))


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    changes, follower = FakeChanges(), FakeFollower()
    sender = FakeSender({GetInventory: snapshot(4)})
    replica = Replica(sender=sender, changes=changes, patience_s=0.2)
    jobs = Jobs(sender=sender, vault=FakeVault())
    visibility = Visibility(
        replica=replica, feed=Feed(sender=sender, changes=FakeChanges(), positions=tuple)
    )
    watch = JobWatch(
        jobs=jobs, follower=follower, visibility=visibility, look_s=0.05, first_look_s=0.05
    )
    running = asyncio.create_task(replica.run())
    changes.put(Lost())
    await replica.ready()
    yield _World(sender=sender, replica=replica, follower=follower, watch=watch)
    running.cancel()
    await asyncio.wait([running])
    assert follower.readers == 0


def _ended(*, revision: int = 5) -> JobEnded:
    return JobEnded(changed=reply(changed(revision, plugin("a"))))


async def test_success(world: _World) -> None:
    """A job that succeeded is over when the replica has what it did."""
    world.follower.tell(waiting(), _ended())
    assert await world.follow() == [Step(position="1-0", progress=waiting()), End(error=None)]
    assert plugin_id("a") in world.replica.inventory.entries


async def test_failure(world: _World) -> None:
    """A job that failed ends with its error, rebuilt."""
    world.follower.tell(JobEnded(error=_CANCELLED.to_wire()))
    (end,) = await world.follow()
    assert isinstance(end, End)
    assert isinstance(end.error, errdefs.Conflict)
    assert end.error.message == "the job was cancelled"


async def test_last_word_lost(world: _World) -> None:
    """A job that is over and never said so is found out; the replica has what it did."""
    world.answer(JobState.DONE)
    world.sender.answers[GetInventory] = snapshot(7, plugin("b"))
    assert await world.follow() == [End(error=None)]
    assert plugin_id("b") in world.replica.inventory.entries


async def test_last_word_of_a_failure_lost(world: _World) -> None:
    """The store knows why a job failed when nobody else told."""
    world.answer(JobState.FAILED, _CANCELLED)
    (end,) = await world.follow()
    assert isinstance(end, End)
    assert isinstance(end.error, errdefs.Conflict)


async def test_progress_lost_on_the_way(world: _World) -> None:
    """When the bus loses its data a job that goes on is followed on, from the new start."""
    world.answer(JobState.RUNNING)
    following = asyncio.create_task(world.follow())
    world.follower.tell(waiting("a"), waiting("b"))
    await eventually(lambda: world.follower.readers)
    world.follower.lose()
    await eventually(lambda: len(world.follower.positions) == 2)
    world.follower.tell(waiting("c"), _ended())
    told = await following
    assert [item.progress.id for item in told if isinstance(item, Step)] == ["a", "b", "c"]
    assert told[-1] == End(error=None)


async def test_forgotten_job(world: _World) -> None:
    """A job that the store does not know ends with that."""
    world.sender.answers[GetJob] = errdefs.NotFound("job j1 not found")
    (end,) = await world.follow()
    assert isinstance(end, End)
    assert isinstance(end.error, errdefs.NotFound)


async def test_store_away(world: _World) -> None:
    """While the store does not answer, the job is followed on."""
    world.sender.answers[GetJob] = errdefs.Unavailable("no answer")
    following = asyncio.create_task(world.follow())
    await eventually(lambda: len(world.sender.calls) >= 4)
    world.follower.tell(_ended())
    assert (await following)[-1] == End(error=None)


async def test_reader_leaves(world: _World) -> None:
    """Who stops reading leaves nothing behind."""
    world.follower.tell(waiting())
    async with contextlib.aclosing(world.watch.follow("j1", after="0-0")) as told:
        assert isinstance(await anext(told), Step)
        assert world.follower.readers == 1
    assert world.follower.readers == 0
    assert world.follower.positions == ["0-0"]


@pytest.mark.parametrize("is_late", [True, False])
async def test_gateway_stops(world: _World, *, is_late: bool) -> None:
    """A gateway that stops lets nobody wait, and says that the job goes on."""
    world.answer(JobState.RUNNING)
    if is_late:
        world.watch.close()
    following = asyncio.create_task(world.follow())
    if not is_late:
        await eventually(lambda: world.follower.readers)
        world.watch.close()
    (end,) = await following
    assert isinstance(end, End)
    assert end.error is not None
    assert "goes on" in end.error.message
