"""Jobs: reserved, taken, fenced, ended once; and what an upgrade ends with."""

from __future__ import annotations

import asyncio
import json

import pytest
from opentelemetry import trace

from services.store.domain.job import LEASE_S, LIVE_LIMIT, MAX_ATTEMPTS, require_room
from services.store.domain.operation import Change, Unit
from shared import errdefs
from shared.contracts import job
from shared.contracts.job import Job, JobKind, JobState
from shared.contracts.store import CreatePlugin, EnablePlugin, SetPlugin
from shared.telemetry import context
from tests.support.spans import recorded
from tests.support.store import CONFIG, FakeContent, StoreUnderTest, delivery
from tests.support.wait import eventually

NEW = CONFIG.replace(b'"value": "0"', b'"value": "9"').decode()


def request(kind: JobKind = JobKind.PULL, name: str = "p:latest") -> job.JobRequest:
    """Return what a person asks for."""
    return job.JobRequest(kind=kind, name=name, remote="registry.example/p:v2")


async def begin(store: StoreUnderTest, job_id: str, kind: JobKind = JobKind.PULL) -> Job:
    """Begin a job and return it."""
    command = job.BeginJob(job_id=job_id, request=request(kind))
    return (await store.jobs.begin(command, delivery())).job


async def take(store: StoreUnderTest, job_id: str) -> job.JobTaken:
    """Take a job."""
    return await store.jobs.take(job.TakeJob(job_id=job_id, worker="w"), delivery())


def commit(job_id: str, token: int) -> job.CommitPlugin:
    """Return the last step of a pull or an upgrade."""
    return job.CommitPlugin(
        job_id=job_id,
        token=token,
        config=NEW,
        config_digest=f"sha256:{'c' * 64}",
        manifest_digest=f"sha256:{'d' * 64}",
        layer_digests=(f"sha256:{'e' * 64}",),
    )


async def test_job_is_queued_once_however_often_it_is_begun() -> None:
    """A repeat of the same id finds the job; its name is reserved."""
    store = StoreUnderTest()

    first = await begin(store, "j")
    again = await begin(store, "j")

    assert first == again
    assert store.queue.queued == ["j"]
    with pytest.raises(errdefs.Conflict, match="is being pulled by job j"):
        await begin(store, "other")
    store.fake_folders.contexts.clear()
    with pytest.raises(errdefs.Conflict, match="is being pulled by job j"):
        await store.creation.create(CreatePlugin(name="p", context_path="/c"), delivery())


def test_only_so_many_jobs_are_under_way() -> None:
    """One more is refused, and told when to come again and how to make room."""
    require_room(LIVE_LIMIT - 1)
    with pytest.raises(errdefs.ResourceExhausted, match="wherry job cancel") as caught:
        require_room(LIVE_LIMIT)
    assert caught.value.detail == {"retry_after_s": 10}


async def test_jobs_that_are_over_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that are queued or running count."""
    store = StoreUnderTest()
    monkeypatch.setattr("services.store.domain.job.LIVE_LIMIT", 1)
    await begin(store, "j")
    other = job.BeginJob(job_id="other", request=request(name="q:latest"))
    with pytest.raises(errdefs.ResourceExhausted):
        await store.jobs.begin(other, delivery())

    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())

    assert (await store.jobs.begin(other, delivery())).job.job_id == "other"


@pytest.mark.parametrize(
    "change",
    [{"kind": JobKind.PUSH}, {"remote": "q"}, {"env": ("A=1",)}, {"privileges": ({"Name": "n"},)}],
    ids=lambda change: next(iter(change)),
)
async def test_an_id_of_another_request_is_refused(change: dict[str, object]) -> None:
    """A job is found by who asks for the same, whatever its credentials; else it is named."""
    store = StoreUnderTest()
    await begin(store, "j")
    again = request().model_copy(update={"meta_headers": {"X-Meta-A": ("1",)}})
    found = await store.jobs.begin(job.BeginJob(job_id="j", request=again), delivery())
    assert found.job.job_id == "j"

    other = job.BeginJob(job_id="j", request=request().model_copy(update=change))
    with pytest.raises(errdefs.Conflict, match="belongs to job j") as caught:
        await store.jobs.begin(other, delivery())
    assert caught.value.detail == {"job": "j"}


async def test_job_that_is_begun_twice_at_once_is_one() -> None:
    """A repeat that overtakes the end of the first finds what that made."""
    store = StoreUnderTest()

    one, other = await asyncio.gather(begin(store, "j"), begin(store, "j"))

    assert one == other


async def test_pull_of_a_name_that_is_taken_is_refused() -> None:
    """A pull begins only for a free name."""
    store = StoreUnderTest()
    await store.install()

    with pytest.raises(errdefs.AlreadyExists, match="plugin p:latest already exists"):
        await begin(store, "j")


async def test_pulled_plugin_is_there_with_the_end_of_its_job() -> None:
    """The last step makes the plugin, ends the job and tells dockerd's event at once."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    store.fake_folders.staged.add("j")

    changed = await store.installation.commit(commit("j", taken.token), delivery())

    plugin = changed.changes[-1].plugin
    assert plugin is not None
    assert (plugin.name, plugin.enabled) == ("p:latest", False)
    assert store.fake_folders.installed == {plugin.plugin_id}
    assert store.records.jobs["j"].job.state is JobState.DONE
    fact = store.records.outbox[-1].facts[0]
    assert (fact.action, fact.actor_id) == ("pull", "registry.example/p:v2")


async def test_h11_service_s_plugin_has_its_environment_and_its_owner() -> None:
    """A pull for a swarm service lays its environment over the config's, and says whose it is."""
    store = StoreUnderTest()
    wish = request().model_copy(update={"env": ("foo=bar", "baz"), "swarm_service_id": "s1"})
    await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())
    token = (await take(store, "j")).token

    await store.installation.commit(commit("j", token), delivery())

    plugin = store.inventory.resolve("p")
    assert plugin.settings["Env"] == ["DEBUG=9", "foo=bar"]
    assert plugin.swarm_service_id == "s1"


async def test_service_s_environment_is_its_spec_s() -> None:
    """An upgrade for a service puts back what its spec no longer names."""
    store = StoreUnderTest()
    plugin = await store.install()
    settings = {**plugin.settings, "Env": ["DEBUG=1", "foo=bar"]}
    owned = plugin.model_copy(update={"swarm_service_id": "s1", "settings": settings})
    await store.inventory.commit(Unit(changes=(Change.of(owned),)))
    wish = request(JobKind.UPGRADE).model_copy(update={"swarm_service_id": "s1", "env": ("new=1",)})
    await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())
    token = (await take(store, "j")).token

    await store.installation.commit(commit("j", token), delivery())

    assert store.now(plugin).settings["Env"] == ["DEBUG=9", "new=1"]


@pytest.mark.parametrize(("owner", "by"), [("s2", "swarm service s2"), ("", "a user")])
async def test_service_does_not_upgrade_what_is_not_its_own(owner: str, by: str) -> None:
    """A plugin of another service, or of nobody's, is refused to a service; its own is not."""
    store = StoreUnderTest()
    plugin = await store.install()
    owned = plugin.model_copy(update={"swarm_service_id": owner})
    await store.inventory.commit(Unit(changes=(Change.of(owned),)))
    wish = request(JobKind.UPGRADE).model_copy(update={"swarm_service_id": "s1"})

    with pytest.raises(errdefs.AlreadyExists, match=f"already exists: p:latest, which {by}"):
        await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())

    await store.inventory.commit(
        Unit(changes=(Change.of(owned.model_copy(update={"swarm_service_id": "s1"})),))
    )
    await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())


@pytest.mark.parametrize("kind", [JobKind.PULL, JobKind.UPGRADE])
async def test_job_brings_no_plugin_that_wants_a_bridge(kind: JobKind) -> None:
    """What asks for a network that the node does not have becomes nobody's files."""
    store = StoreUnderTest()
    if kind is JobKind.UPGRADE:
        await store.install()
    await begin(store, "j", kind)
    taken = await take(store, "j")
    store.fake_folders.staged.add("j")
    step = commit("j", taken.token)
    step = step.model_copy(update={"config": NEW.replace('"host"', '"bridge"')})

    with pytest.raises(errdefs.Unimplemented, match="plugin p:latest asks for network bridge"):
        await store.installation.commit(step, delivery())

    assert store.fake_folders.staged == {"j"}
    assert not any(store.fake_folders.rootfs_of.values())


async def test_verbs_hear_of_the_job_that_has_the_plugin() -> None:
    """While a plugin is upgraded, enable and set answer with the job's name."""
    store = StoreUnderTest()
    await store.install()
    await begin(store, "j", JobKind.UPGRADE)

    with pytest.raises(errdefs.Conflict, match="is being upgraded by job j"):
        await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    with pytest.raises(errdefs.Conflict, match="is being upgraded by job j"):
        await store.settings.set(SetPlugin(name="p", args=("DEBUG=1",)), delivery())


async def test_upgrade_of_an_enabled_plugin_is_refused() -> None:
    """A plugin must be disabled before it is upgraded, in dockerd's words."""
    store = StoreUnderTest()
    await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    with pytest.raises(errdefs.Conflict) as refused:
        await begin(store, "j", JobKind.UPGRADE)

    assert refused.value.message == (
        "plugin must be disabled before upgrading: plugin p:latest is enabled"
    )


async def test_upgrade_keeps_what_the_user_chose() -> None:
    """A setting that was changed stays; one that was not follows the new default."""
    for args, expected in (((), "DEBUG=9"), (("DEBUG=5",), "DEBUG=5")):
        store = StoreUnderTest()
        plugin = await store.install()
        await store.settings.set(SetPlugin(name="p", args=args), delivery())
        await begin(store, "j", JobKind.UPGRADE)
        taken = await take(store, "j")
        store.fake_folders.staged.add("j")

        await store.installation.commit(commit("j", taken.token), delivery())

        now = store.now(plugin)
        assert now.settings["Env"] == [expected]
        assert now.reference == "registry.example/p:v2"
        assert now.config["Env"][0]["Value"] == "9"
        assert store.fake_folders.rootfs_of[plugin.plugin_id] == [now.rootfs] == ["rootfs-j"]


async def test_upgrade_that_was_not_committed_changes_nothing() -> None:
    """A store whose disk refused the commit, or that died before it, has the files staged again."""
    first = StoreUnderTest()
    plugin = await first.install()
    await begin(first, "j", JobKind.UPGRADE)
    taken = await take(first, "j")
    first.fake_folders.staged.add("j")
    first.records.refusal = errdefs.ResourceExhausted("full")
    with pytest.raises(errdefs.ResourceExhausted):
        await first.installation.commit(commit("j", taken.token), delivery())
    assert first.fake_folders.staged == {"j"}
    first.records.refusal = None
    await first.folders.install("j", plugin.plugin_id, "rootfs-j")

    again = await first.restarted()

    assert again.fake_folders.staged == {"j"}
    assert again.now(plugin) == plugin
    await again.installation.commit(commit("j", taken.token), delivery())
    assert again.now(plugin).rootfs == "rootfs-j"
    assert again.records.jobs["j"].job.state is JobState.DONE
    await again.close()


async def test_worker_that_fell_silent_loses_the_job() -> None:
    """After its lease a job is queued again, the next worker's token fences the first one off."""
    store = StoreUnderTest()
    await begin(store, "j")
    first = await take(store, "j")
    with pytest.raises(errdefs.Conflict, match="in the hands of w"):
        await take(store, "j")

    store.fake_clock.advance(LEASE_S + 1)
    await store.job_watch.look()
    second = await take(store, "j")

    assert store.queue.queued == ["j", "j"]
    assert (second.attempt, second.token) == (2, first.token + 1)
    for late in (
        store.jobs.renew(job.RenewJob(job_id="j", token=first.token), delivery()),
        store.installation.commit(commit("j", first.token), delivery()),
    ):
        with pytest.raises(errdefs.Conflict, match="taken from this worker"):
            await late


async def test_a_job_is_done_in_the_trace_that_it_began_in() -> None:
    """Whoever has it queued again, after a worker or the store died, goes on in that trace."""
    store = StoreUnderTest()
    with recorded(), trace.get_tracer("test").start_as_current_span("request"):
        begun = context.traceparent()
        known = await begin(store, "j")
    await take(store, "j")

    store.fake_clock.advance(LEASE_S + 1)
    await store.job_watch.look()
    await store.job_watch.requeue_all()

    assert known.traceparent == begun
    assert store.queue.traces == [begun] * 3


async def test_redelivered_steps_get_the_same_answers() -> None:
    """A store that died before it could reply answers take, fail and finish as before."""
    store = StoreUnderTest()
    for job_id in ("pulled", "pushed"):
        await begin(store, job_id)
        command = job.TakeJob(job_id=job_id, worker="w")
        first = await store.jobs.take(command, delivery(f"take {job_id}"))
        assert await store.jobs.take(command, delivery(f"take {job_id}")) == first
        for _ in range(2):
            if job_id == "pulled":
                fail = job.FailJob(job_id=job_id, token=first.token, error={})
                await store.jobs.fail(fail, delivery())
            else:
                finish = job.FinishPush(job_id=job_id, token=first.token)
                await store.jobs.finish(finish, delivery())

    assert store.records.jobs["pulled"].job.state is JobState.FAILED
    assert store.records.jobs["pushed"].job.state is JobState.DONE


async def test_job_that_kills_its_workers_ends() -> None:
    """After some attempts a job is failed, told to whoever follows it, and its name is free."""
    store = StoreUnderTest()
    await begin(store, "j")
    for _ in range(MAX_ATTEMPTS):
        await take(store, "j")
        store.fake_clock.advance(LEASE_S + 1)
        await store.job_watch.look()

    assert store.records.jobs["j"].job.state is JobState.FAILED
    assert "given up" in store.queue.failed["j"].message
    await begin(store, "again")


async def test_cancelled_job_is_told_to_its_worker() -> None:
    """A cancel is heard at the next renewal; the worker then fails the job and the name is free."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")

    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())
    lease = await store.jobs.renew(job.RenewJob(job_id="j", token=taken.token), delivery())
    await store.jobs.fail(
        job.FailJob(job_id="j", token=taken.token, error={"code": "conflict"}), delivery()
    )

    assert lease.cancelled
    assert store.records.jobs["j"].job.error == {"code": "conflict"}
    await begin(store, "again")


async def test_cancelled_job_changes_nothing_any_more() -> None:
    """A worker that has not heard of the cancel yet can't install what it pulled."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    store.fake_folders.staged.add("j")
    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())

    with pytest.raises(errdefs.Conflict, match="job j was cancelled"):
        await store.installation.commit(commit("j", taken.token), delivery())

    assert not store.inventory.all()


async def test_job_that_nobody_took_is_cancelled_at_once() -> None:
    """A queued job ends with its cancel, and whoever follows it is told."""
    store = StoreUnderTest()
    await begin(store, "j")

    reply = await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())

    assert reply.job.state is JobState.FAILED
    assert "was cancelled" in store.queue.failed["j"].message
    with pytest.raises(errdefs.Conflict, match="is over"):
        await take(store, "j")


@pytest.mark.parametrize("steps", [("keep", "commit"), ("commit",)], ids=["asked", "committed"])
async def test_blobs_of_a_live_job_are_kept_from_the_collector(steps: tuple[str, ...]) -> None:
    """What a job fetched stays until it ends, and then goes when no plugin has it."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    blob = job.StagedBlob(digest=f"sha256:{'f' * 64}", size=1, ingest="f")
    if "keep" in steps:
        keep = job.KeepBlobs(job_id="j", token=taken.token, digests=(blob.digest,))
        assert (await store.jobs.keep_blobs(keep, delivery())).digests == ()
    command = job.CommitBlob(job_id="j", token=taken.token, blob=blob)
    await store.jobs.commit_blob(command, delivery())
    await store.garbage.collect()
    kept = set(store.content.digests)

    await store.jobs.fail(job.FailJob(job_id="j", token=taken.token, error={}), delivery())
    await store.garbage.collect()

    assert kept == {blob.digest}
    assert not store.content.digests
    await eventually(lambda: not store.fake_folders.staged)


async def test_blobs_that_come_with_a_plugin_are_blobs_once_it_is_there() -> None:
    """No collection comes between, and those of a commit that is refused go."""
    store = StoreUnderTest()
    layer = f"sha256:{'e' * 64}"
    blobs = (job.StagedBlob(digest=layer, size=1, ingest="e"),)
    await begin(store, "j")
    taken = await take(store, "j")
    last = commit("j", taken.token).model_copy(update={"blobs": blobs})
    store.records.refusal = errdefs.ResourceExhausted("the disk is full")
    with pytest.raises(errdefs.ResourceExhausted):
        await store.installation.commit(last, delivery())
    await store.garbage.collect()
    left_by_refusal = set(store.content.digests)
    store.records.refusal = None
    store.fake_folders.staged.add("j")

    await asyncio.gather(
        store.installation.commit(last, delivery()), *(store.garbage.collect() for _ in range(3))
    )
    await store.garbage.collect()

    assert left_by_refusal == set()
    assert store.content.digests == {layer}


async def test_successor_of_a_dead_worker_takes_its_job_at_once() -> None:
    """A node has one pull process at a time, so a worker of another name need not wait."""
    store = StoreUnderTest()
    await begin(store, "j")
    first = await take(store, "j")

    second = await store.jobs.take(job.TakeJob(job_id="j", worker="next"), delivery())

    assert (second.attempt, second.token) == (2, first.token + 1)


async def test_renewal_that_crosses_the_end_changes_nothing() -> None:
    """A job's steps follow one another: a renewal under way never undoes the commit beside it."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    store.fake_folders.staged.add("j")
    renew = job.RenewJob(job_id="j", token=taken.token)

    results = await asyncio.gather(
        store.installation.commit(commit("j", taken.token), delivery()),
        *(store.jobs.renew(renew, delivery()) for _ in range(3)),
        store.jobs.cancel(job.CancelJob(job_id="j"), delivery()),
        return_exceptions=True,
    )

    assert not isinstance(results[0], BaseException)
    assert store.records.jobs["j"].job.state is JobState.DONE


async def test_worker_that_fails_a_job_which_was_ended_leaves_no_file() -> None:
    """What it still wrote while the watch ended its job goes with its own word."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())
    store.fake_clock.advance(LEASE_S + 1)
    await store.job_watch.look()
    store.fake_folders.staged.add("j")

    await store.jobs.fail(job.FailJob(job_id="j", token=taken.token, error={}), delivery())

    assert not store.fake_folders.staged


@pytest.mark.parametrize("refusing", ["records", "fake_folders"])
async def test_install_that_the_disk_refuses_leaves_no_files(refusing: str) -> None:
    """A pull whose last commit fails, or whose move does half-way, leaves nothing in its place."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    store.fake_folders.staged.add("j")
    full = errdefs.ResourceExhausted("the disk is full")
    getattr(store, refusing).refusal = full

    with pytest.raises(errdefs.ResourceExhausted):
        await store.installation.commit(commit("j", taken.token), delivery())

    assert not store.fake_folders.installed
    assert not store.inventory.all()


async def test_cancelled_commit_is_shown_before_it_is_heard_of() -> None:
    """Whoever is cancelled in a commit finds afterwards what the database has."""
    store = StoreUnderTest()
    await begin(store, "j")
    taken = await take(store, "j")
    store.fake_folders.staged.add("j")
    installing = asyncio.create_task(
        store.installation.commit(commit("j", taken.token), delivery())
    )
    await eventually(lambda: bool(store.fake_folders.installed))

    installing.cancel()
    await asyncio.wait([installing])

    installed = {plugin.plugin_id for plugin in store.inventory.all()}
    assert installed == set(store.records.plugins) == store.fake_folders.installed


async def test_jobs_of_a_batch_wait_behind_those_of_people() -> None:
    """The queue is told which jobs are patient, each time."""
    store = StoreUnderTest()
    await begin(store, "person")
    patient = request(name="q:latest").model_copy(update={"batch_id": "b"})
    await store.jobs.begin(job.BeginJob(job_id="batch", request=patient), delivery())

    assert store.queue.patient == ["batch"]
    assert store.records.jobs["batch"].job.batch_id == "b"


async def test_a_prefetch_keeps_its_blobs_for_a_day() -> None:
    """What upgrades will need stays in the store after the job, and goes in the end."""
    store = StoreUnderTest()
    wish = job.JobRequest(
        kind=JobKind.PREFETCH, name="r@sha256:d", remote="registry.example/p:v2", batch_id="b"
    )
    await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())
    taken = await take(store, "j")
    digest = f"sha256:{'f' * 64}"
    keep = job.KeepBlobs(job_id="j", token=taken.token, digests=(digest,))
    await store.jobs.keep_blobs(keep, delivery())
    store.content.digests = {digest}
    await store.jobs.finish(job.FinishPush(job_id="j", token=taken.token), delivery())

    await store.garbage.collect()
    kept = set(store.content.digests)
    store.fake_clock.advance(25 * 3600)
    await store.garbage.collect()

    assert (kept, store.content.digests) == ({digest}, set())
    assert store.records.jobs["j"].job.plugin_id is None


def _pinned(content: FakeContent, *, is_whole: bool = True) -> tuple[job.JobRequest, set[str]]:
    """Return an upgrade to a version that is here, and the digests that it is made of."""
    layer, config = (f"sha256:{digit * 64}" for digit in "12")
    body = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "a/b", "digest": config, "size": 1},
        "layers": [{"mediaType": "a/b", "digest": layer, "size": 1}],
    }
    pinned = f"sha256:{'3' * 64}"
    content.digests |= {pinned, config, *([layer] if is_whole else [])}
    content.bodies[pinned] = json.dumps(body).encode()
    asked = request(JobKind.UPGRADE).model_copy(update={"pinned_digest": pinned})
    return asked, content.digests & {pinned, config, layer}


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_pinned_version_is_kept_by_who_takes_the_job(is_whole: bool) -> None:
    """What is here of it is told, and stays, unasked; a redelivery hears the same."""
    store = StoreUnderTest()
    await store.install()
    asked, digests = _pinned(store.content, is_whole=is_whole)
    await store.jobs.begin(job.BeginJob(job_id="j", request=asked), delivery())

    for _ in range(2):
        taken = await store.jobs.take(job.TakeJob(job_id="j", worker="w"), delivery("m"))
        assert set(taken.kept) == digests
    await store.garbage.collect()

    assert digests <= store.content.digests


@pytest.mark.parametrize("body", [None, b"{", b'{"schemaVersion": 2, "manifests": []}'])
async def test_a_pinned_version_that_is_not_known_here(body: bytes | None) -> None:
    """Gone, damaged or an index: the worker finds out what it is made of."""
    store = StoreUnderTest()
    await store.install()
    asked, _ = _pinned(store.content)
    del store.content.bodies[asked.pinned_digest]
    if body is not None:
        store.content.bodies[asked.pinned_digest] = body
    await store.jobs.begin(job.BeginJob(job_id="j", request=asked), delivery())

    assert (await take(store, "j")).kept == ()


async def test_what_a_prefetch_unpacked_goes_with_its_end() -> None:
    """Its blobs are what the upgrade needs; a repeat of the end, after a crash, deletes it too."""
    store = StoreUnderTest()
    wish = request(JobKind.PREFETCH, name="fetched:latest")
    await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())
    taken = await take(store, "j")
    for _ in range(2):
        store.fake_folders.staged.add("j")
        await store.jobs.finish(job.FinishPush(job_id="j", token=taken.token), delivery())
        assert store.fake_folders.staged == set()


async def test_what_a_batch_replaced_is_put_back() -> None:
    """A rollback brings reference, settings and grant of before, and finds the blobs it needs."""
    store = StoreUnderTest()
    plugin = await store.install()
    wish = request(JobKind.UPGRADE, name=plugin.name).model_copy(update={"batch_id": "b"})
    await store.jobs.begin(job.BeginJob(job_id="up", request=wish), delivery())
    taken = await take(store, "up")
    store.fake_folders.staged.add("up")
    await store.installation.commit(commit("up", taken.token), delivery())
    store.content.digests = {plugin.config_digest}
    await store.garbage.collect()
    kept = set(store.content.digests)

    back = wish.model_copy(update={"restore": plugin, "remote": "registry.example/p:v1"})
    await store.jobs.begin(job.BeginJob(job_id="back", request=back), delivery())
    taken = await take(store, "back")
    store.fake_folders.staged.add("back")
    step = commit("back", taken.token).model_copy(
        update={
            "config": CONFIG.decode(),
            "config_digest": plugin.config_digest,
            "manifest_digest": plugin.manifest_digest,
            "layer_digests": plugin.layer_digests,
        }
    )
    await store.installation.commit(step, delivery())

    now = store.now(plugin)
    assert kept == {plugin.config_digest}
    assert now == plugin.model_copy(update={"rootfs": "rootfs-back", "status": now.status})
