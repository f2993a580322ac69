"""Jobs: taken, done, ended, left."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.pull.service.pace import Pace
from services.pull.service.running import JobRunner, StoppingError
from shared import errdefs
from shared.contracts import job as contracts
from shared.contracts.job import Job, JobKind, JobReply, JobState
from shared.contracts.message import Message
from shared.contracts.store import Changed
from shared.oci.digest import Digest, digest_of
from shared.sealing import Opener, new_key, public_bytes, seal
from tests.support.gateway import plugin
from tests.support.plugin_image import image
from tests.support.pull import TOKEN, FakeRegistries, World, request
from tests.support.spans import recorded
from tests.support.wait import all_have_run, eventually

KEY = new_key()
ONE = image({"a": b"1"})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(root=tmp_path, registries=FakeRegistries(ONE))
    yield made
    made.workplaces.close()


def _runner(world: World) -> JobRunner:
    return JobRunner(
        sender=world.store,
        pulling=world.pulling,
        pushing=world.pushing,
        workplaces=world.workplaces,
        opener=Opener(KEY),
        open_progress=lambda _job_id: world.writer,
        worker="pull-1",
        pace=Pace(first_renewal_s=0.02, end_retry_s=0.01),
    )


def _sent(world: World, kind: type[Any]) -> list[Any]:
    return [command for command in world.store.sent if isinstance(command, kind)]


def _job(state: JobState) -> Job:
    return Job(
        job_id="job-1",
        kind=JobKind.PULL,
        state=state,
        name="p:1",
        remote="registry.test/a/p:1",
        created_at_ns=0,
    )


class Hang:
    """Holds up a layer for ever, and tells that it does."""

    def __init__(self, world: World) -> None:
        self.began = asyncio.Event()
        world.registries.before_blob = self._hang

    async def _hang(self, digest: Digest) -> None:
        if digest == digest_of(ONE.layers[0]):
            self.began.set()
            await asyncio.Event().wait()


async def test_a_job_ends_with_its_changes(world: World) -> None:
    """The last message of the progress is the store's answer, and it comes last."""
    await _runner(world).run("job-1", {})

    assert world.writer.ended.changed is not None
    assert world.writer.ended.changed.revision == 3
    assert world.writer.said[-1][1] == "Complete"
    (taken,) = _sent(world, contracts.TakeJob)
    assert taken.worker == "pull-1"


async def test_what_is_said_is_written_before_the_store_goes_on(world: World) -> None:
    """Of the upgrade of an enabled plugin the store tells the rest, and its end."""
    world.store.request = request(JobKind.UPGRADE)
    world.store.plugin = plugin(enabled=True)
    written: list[str] = []

    def committed(_command: Message) -> Message:
        written.extend(status for _, status in world.writer.said)
        return Changed(epoch="e", revision=3)

    world.store.answers[contracts.CommitPlugin] = committed
    await _runner(world).run("job-1", {})

    assert written[-1] == "Complete"
    assert world.writer.finals == []


async def test_a_failure_is_the_stores_and_then_told(world: World) -> None:
    """The job is failed with the very error that whoever follows it reads."""
    world.store.request = request(privileges=())
    await _runner(world).run("job-1", {})

    (error,) = world.store.failed
    assert isinstance(error, errdefs.PermissionDenied)
    assert world.writer.ended.error == error.to_wire()


def _on_a_wire(world: World) -> None:
    """Have the store take only commands that the bus could carry."""
    answered = world.store.answers[contracts.FailJob]

    def fail(command: contracts.FailJob) -> Any:
        carried = contracts.FailJob.model_validate_json(command.model_dump_json())
        return answered(carried) if callable(answered) else answered

    world.store.answers[contracts.FailJob] = fail


async def test_a_job_fails_with_what_its_layer_is_refused_for(tmp_path: Path) -> None:
    """Also where the entry that is refused has a name that is not UTF-8."""
    climbing = image({"../" + os.fsdecode(b"f\xe9e"): b"1"})
    world = World(root=tmp_path, registries=FakeRegistries(climbing))
    _on_a_wire(world)
    await _runner(world).run("job-1", {})

    (error,) = world.store.failed
    assert "outside of the root" in error.message
    assert error.detail["entry"] == r"../f\udce9e"
    assert json.loads(world.writer.ended.model_dump_json())["error"] == error.to_wire()
    world.workplaces.close()


async def test_an_error_that_can_not_be_told_is_a_fault(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what no message can carry the log has the reason, and the job fails all the same."""

    async def refuse(_: Digest) -> None:
        raise errdefs.InvalidArgument("no", detail={"entry": object()})

    world.registries.before_blob = refuse
    _on_a_wire(world)
    await _runner(world).run("job-1", {})

    assert [type(error) for error in world.store.failed] == [errdefs.Internal]
    assert world.writer.ended.error == world.store.failed[0].to_wire()
    assert "failure not told" in capsys.readouterr().out


async def test_a_full_disk_has_room_before_the_failure_is_written(world: World) -> None:
    """What a job unpacked is gone when the store is asked to write down that the disk is full."""
    left: list[list[Path]] = []
    work = world.root / "work"

    async def fill(digest: Digest) -> None:
        if digest == digest_of(ONE.layers[0]):
            (rootfs,) = work.glob("job-1/rootfs-*")
            (rootfs / "half").write_bytes(b"of a file")
            raise errdefs.ResourceExhausted("the disk is full")

    world.registries.before_blob = fill
    world.store.before_fail = lambda: left.append(list(work.glob("job-1/rootfs-*")))
    await _runner(world).run("job-1", {})

    assert [type(error) for error in world.store.failed] == [errdefs.ResourceExhausted]
    assert left == [[]]


async def test_a_fault_of_ours_says_nothing_of_our_insides(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has the traceback, the person a plain sentence."""

    async def fault(_: Digest) -> None:
        raise ZeroDivisionError("secret detail")

    world.registries.before_blob = fault
    await _runner(world).run("job-1", {})

    assert world.writer.ended.error is not None
    assert world.writer.ended.error["code"] == "internal"
    assert "secret" not in str(world.writer.ended.error)
    assert "secret detail" in capsys.readouterr().out


@pytest.mark.parametrize("refusal", [errdefs.Conflict("taken"), errdefs.NotFound("gone")])
async def test_a_job_that_is_not_to_be_had_is_left_alone(
    world: World, refusal: errdefs.Error
) -> None:
    """A message that came twice ends quietly."""
    world.store.answers[contracts.TakeJob] = refusal
    await _runner(world).run("job-1", {})

    assert [type(command) for command in world.store.sent] == [contracts.TakeJob]
    assert world.writer.messages == world.writer.finals == []


async def test_a_wish_to_end_it_ends_it(world: World) -> None:
    """A cancelled job is failed as cancelled, however it hangs."""
    hang = Hang(world)
    running = asyncio.create_task(_runner(world).run("job-1", {}))
    await hang.began.wait()
    world.store.is_cancelled = True
    async with asyncio.timeout(5):
        await running

    (error,) = world.store.failed
    assert isinstance(error, errdefs.Conflict)
    assert error.message == "the job was cancelled"
    assert world.writer.ended.error == error.to_wire()
    assert world.ingests() == []


async def test_a_job_that_another_took_is_let_go_quietly(world: World) -> None:
    """A stale token stops the work, and nothing is told to whoever follows the other attempt."""
    hang = Hang(world)
    running = asyncio.create_task(_runner(world).run("job-1", {}))
    await hang.began.wait()
    stale = errdefs.Conflict("job job-1 was taken from this worker")
    world.store.answers[contracts.RenewJob] = stale
    world.store.answers[contracts.FailJob] = stale
    world.store.answers[contracts.GetJob] = JobReply(job=_job(JobState.RUNNING))
    async with asyncio.timeout(5):
        await running

    assert world.writer.finals == []


async def test_a_renewal_that_crosses_the_end_ends_nothing(world: World) -> None:
    """The token is stale because the job is done: the answer that says so is waited for."""
    is_stale = asyncio.Event()
    world.store.lease_s = 0.03  # one renewal before the end puts the next one off by a third of it

    def stale(_: object) -> Exception:
        is_stale.set()
        return errdefs.Conflict("taken from this worker")

    async def commit(_: object) -> Message:
        world.store.answers[contracts.RenewJob] = stale
        await is_stale.wait()
        await all_have_run()
        return Changed(epoch="e", revision=9)

    world.store.answers[contracts.CommitPlugin] = commit
    async with asyncio.timeout(5):
        await _runner(world).run("job-1", {})

    assert world.writer.ended.changed == Changed(epoch="e", revision=9)


async def test_a_wish_that_crosses_the_end_is_too_late(world: World) -> None:
    """What the store is asked to commit is not called back."""

    async def commit(_: object) -> Message:
        world.store.is_cancelled = True
        before = len(_sent(world, contracts.RenewJob))
        await eventually(lambda: len(_sent(world, contracts.RenewJob)) > before)
        await all_have_run()
        return Changed(epoch="e", revision=9)

    world.store.lease_s = 0.03
    world.store.answers[contracts.CommitPlugin] = commit
    async with asyncio.timeout(5):
        await _runner(world).run("job-1", {})
    assert world.writer.ended.changed is not None


@pytest.mark.parametrize(
    ("state", "error"), [(JobState.DONE, None), (JobState.FAILED, {"code": "conflict"})]
)
async def test_an_end_whose_answer_got_lost_is_told_all_the_same(
    world: World, state: JobState, error: dict[str, str] | None
) -> None:
    """Whoever follows the job does not wait for ever, and no file of it stays."""
    lost = errdefs.Conflict("job job-1 was taken from this worker")
    world.store.answers[contracts.CommitPlugin] = lost
    world.store.answers[contracts.FailJob] = lost
    job = _job(state).model_copy(update={"error": error})
    world.store.answers[contracts.GetJob] = JobReply(job=job)
    await _runner(world).run("job-1", {})

    assert world.writer.ended.error == error
    assert list(world.store.work.iterdir()) == []


async def test_a_store_that_is_away_does_not_stop_the_work(world: World) -> None:
    """Renewals that fail are tried again; the steps that matter are fenced anyway."""
    hang = Hang(world)
    away = [errdefs.Unavailable("away")] * 2

    def answer(_: contracts.RenewJob) -> Message | Exception:
        if not hang.began.is_set():  # however slow this machine is
            return contracts.JobLease(lease_s=0.06, cancelled=False)
        return away.pop() if away else contracts.JobLease(lease_s=30, cancelled=True)

    world.store.answers[contracts.RenewJob] = answer
    async with asyncio.timeout(20):
        await _runner(world).run("job-1", {})

    assert away == []
    assert [error.message for error in world.store.failed] == ["the job was cancelled"]


async def test_the_lease_is_renewed_while_it_works(world: World) -> None:
    """Each renewal carries the token."""
    hang = Hang(world)
    world.store.lease_s = 0.06
    running = asyncio.create_task(_runner(world).run("job-1", {}))
    await hang.began.wait()
    await eventually(lambda: len(_sent(world, contracts.RenewJob)) >= 3)
    world.store.is_cancelled = True
    await running

    assert {command.token for command in _sent(world, contracts.RenewJob)} == {TOKEN}


async def test_stopping_leaves_jobs_to_be_taken_anew(world: World) -> None:
    """The job is neither failed nor told to have ended, and nothing new is begun."""
    hang = Hang(world)
    runner = _runner(world)
    running = asyncio.create_task(runner.run("job-1", {}))
    await hang.began.wait()
    runner.stop()
    with pytest.raises(StoppingError):
        await running
    with pytest.raises(StoppingError):
        await runner.run("job-2", {})

    assert world.store.failed == []
    assert world.writer.finals == []
    assert world.ingests() == []


async def test_stopping_does_not_wait_for_a_store_that_is_away(world: World) -> None:
    """A job that is not even taken yet is let go too."""
    is_asked = asyncio.Event()

    async def never(_: object) -> Message:
        is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    world.store.answers[contracts.TakeJob] = never
    runner = _runner(world)
    running = asyncio.create_task(runner.run("job-1", {}))
    await is_asked.wait()
    runner.stop()
    async with asyncio.timeout(5):
        with pytest.raises(StoppingError):
            await running


async def test_each_step_is_a_span_of_the_job(world: World) -> None:
    """Below the span that queued it: the job, and in it what was resolved, fetched, unpacked."""
    with recorded() as exporter:
        await _runner(world).run("job-1", {"traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"})

    made = {span.name: span for span in exporter.get_finished_spans()}
    job = made.pop("job")
    assert job.parent is not None
    assert (job.parent.trace_id, job.parent.span_id) == (0xABC, 0xDEF)
    assert set(made) == {"resolve", "blob", "unpack", "commit"}
    for span in made.values():
        assert span.parent is not None
        assert span.parent.span_id == job.context.span_id
    blob = dict(made["blob"].attributes or {})
    assert blob.pop("wherry.bytes_per_s")
    assert blob == {
        "oci.blob.digest": digest_of(ONE.layers[0]),
        "oci.blob.size": len(ONE.layers[0]),
        "wherry.bytes": len(ONE.layers[0]),
        "wherry.cache.hit": False,
        "wherry.retries": 0,
    }
    assert (made["unpack"].attributes or {})["wherry.files"] == 1
    assert (job.attributes or {})["wherry.job.kind"] == "pull"


async def test_taking_a_job_anew_ends_the_attempt_that_lost_it(world: World) -> None:
    """One process never works twice on one job."""
    hang = Hang(world)
    runner = _runner(world)
    first = asyncio.create_task(runner.run("job-1", {}))
    await hang.began.wait()
    world.registries.before_blob = None
    await runner.run("job-1", {})

    with pytest.raises(StoppingError):
        await first
    assert len(world.store.committed) == 1
    assert world.rootfs() == {"a": b"1"}


async def test_credentials_are_opened_for_the_job_alone(world: World) -> None:
    """They are bound to the job's id, and go to the registry as they were given."""
    auth = {"username": "robin"}
    sealed = seal(public_bytes(KEY), json.dumps(auth).encode(), "job-1")
    world.store.request = request(credentials=sealed)
    runner = _runner(world)
    await runner.run("job-1", {})
    ((_, given, _, _),) = world.registries.opened
    assert given == auth

    await runner.run("job-2", {})
    assert [error.code for error in world.store.failed] == ["invalid_argument"]


async def test_a_push_ends_without_changes(world: World) -> None:
    """A push without a plugin is a fault; one with a lost blob is refused."""
    world.store.request = request(JobKind.PUSH)
    await _runner(world).run("job-1", {})
    assert [error.code for error in world.store.failed] == ["internal"]


async def test_an_id_that_leads_elsewhere_is_refused(world: World) -> None:
    """A job's id names a folder: it is a client's choice, so it is looked at."""
    await _runner(world).run("../content", {})
    (error,) = world.store.failed
    assert "can't be a job's id" in error.message
    assert world.store.blobs.exists()


async def test_progress_that_is_lost_fails_nothing(world: World) -> None:
    """The bus may be away while a plugin is pulled."""
    world.writer.error = errdefs.Unavailable("the bus is away")
    await _runner(world).run("job-1", {})
    assert len(world.store.committed) == 1


async def test_the_wait_in_the_queue_is_told(world: World) -> None:
    """It lasts from when the job was queued, in the job's trace; what came back did not wait."""
    carrier = {"traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"}
    with recorded() as spans:
        await _runner(world).run("job-1", carrier, queued_at_ns=17)
        await _runner(world).run("job-1", carrier)

    waits = [one for one in spans.get_finished_spans() if one.name.startswith("wait ")]
    ((trace_id, parent_id, began_ns),) = [
        (one.context.trace_id, one.parent.span_id, one.start_time)
        for one in waits
        if one.context and one.parent
    ]
    assert (trace_id, parent_id, began_ns) == (0xABC, 0xDEF, 17)
