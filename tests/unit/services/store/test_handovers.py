"""Upgrades of plugins that run: swapped, watched, drained, rolled back, and taken up again."""

from __future__ import annotations

import asyncio
import dataclasses
import errno

import pytest
from opentelemetry import trace

from shared import errdefs
from shared.contracts import executor, job
from shared.contracts.executor import (
    ContainerExited,
    ContainerObserved,
    ContainerStatus,
    Exit,
    HealthStatus,
)
from shared.contracts.job import JobKind, JobState
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.reference import GetMode, GetPlugin
from shared.contracts.store import (
    CollectGarbage,
    DisablePlugin,
    EnablePlugin,
    RemovePlugin,
    ShutDownNode,
)
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy
from tests.support.spans import recorded
from tests.support.store import CONFIG, StoreUnderTest, delivery
from tests.support.wait import eventually

STOP_FIRST, START_FIRST = UpgradeStrategy.STOP_FIRST, UpgradeStrategy.START_FIRST
BOTH = pytest.mark.parametrize("strategy", [STOP_FIRST, START_FIRST])
OLD = CONFIG.replace(b'"description": "d"', b'"description": "d", "wherry": {"handover": true}')
NEW = OLD.replace(b'"value": "0"', b'"value": "9"')
CHECKED = NEW.replace(
    b'"handover": true', b'"handover": true, "health": {"test": ["CONNECT"], "retries": 2}'
)
REMOTE = "registry.example/p:v2"


async def running(store: StoreUnderTest, config: bytes = OLD) -> Plugin:
    """Install and enable a plugin."""
    plugin = await store.install(config_json=config)
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    store.fake_folders.installed.add(plugin.plugin_id)
    store.fake_folders.rootfs_of[plugin.plugin_id] = ["rootfs"]
    return store.now(plugin)


async def begin(
    store: StoreUnderTest, strategy: UpgradeStrategy, monitor_s: float = 60, drain_s: float = 60
) -> None:
    """Begin an upgrade."""
    request = job.JobRequest(
        kind=JobKind.UPGRADE,
        name="p:latest",
        remote=REMOTE,
        strategy=strategy,
        monitor_s=monitor_s,
        drain_s=drain_s,
    )
    await store.jobs.begin(job.BeginJob(job_id="j", request=request), delivery())


async def hand_over(store: StoreUnderTest, config: bytes = NEW, worker: str = "w") -> None:
    """Do the worker's part of an upgrade."""
    taken = await store.jobs.take(job.TakeJob(job_id="j", worker=worker), delivery())
    store.fake_folders.staged.add("j")
    command = job.CommitPlugin(
        job_id="j",
        token=taken.token,
        config=config.decode(),
        config_digest=f"sha256:{'c' * 64}",
        manifest_digest=f"sha256:{'d' * 64}",
        layer_digests=(f"sha256:{'e' * 64}",),
    )
    await store.installation.commit(command, delivery())


async def upgrading(store: StoreUnderTest, strategy: UpgradeStrategy, **times: float) -> Plugin:
    """Bring a plugin that runs to where its new version is watched; return it as it was."""
    plugin = await running(store)
    await begin(store, strategy, **times)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.MONITOR)
    return plugin


def phase(store: StoreUnderTest) -> UpgradePhase | None:
    """Return how far the upgrade is."""
    return store.records.jobs["j"].job.phase


def is_over(store: StoreUnderTest) -> bool:
    """Tell whether the job has ended, and whoever follows it heard so."""
    return "j" in store.queue.failed or "j" in store.queue.done


def pass_time(store: StoreUnderTest, plugin: Plugin, seconds: float) -> None:
    """Let time pass, and wake who waits for it."""
    store.fake_clock.advance(seconds)
    store.inventory.nudges.nudge(plugin.plugin_id)


async def tell_exit(store: StoreUnderTest, container_id: str) -> None:
    """End a container and publish its exit."""
    ended = Exit(exit_code=3, exited_at_ns=store.fake_clock.now_ns)
    store.executor.end(container_id, 3, at_ns=store.fake_clock.now_ns)
    fact = ContainerExited(container_id=container_id, exit=ended)
    await store.supervisor.container_exited(fact, delivery())


def gets(store: StoreUnderTest) -> int:
    """Return how often the executor was asked for one container."""
    return sum(isinstance(one, executor.GetContainer) for one in store.executor.sent)


async def died_after(strategy: UpgradeStrategy, commits: int) -> bool:
    """Have the store die after so many commits of an upgrade; tell whether it came so far."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, strategy, monitor_s=0, drain_s=0)
    store.records.dies_after = commits
    try:
        await hand_over(store)
        await eventually(lambda: is_over(store) or store.records.is_dead)
    except errdefs.Unavailable:
        assert store.records.is_dead
    was_dead = store.records.is_dead
    await store.close()
    store.records.dies_after = None
    again = await store.restarted()
    left = again.records.jobs["j"]
    if left.is_live and left.handover is None:
        await hand_over(again, worker="another")
    await eventually(lambda: again.records.jobs["j"].job.state is JobState.DONE)
    await eventually(lambda: again.fake_folders.rootfs_of[plugin.plugin_id] == ["rootfs-j"])
    check_new(again, plugin)
    await again.close()
    return was_dead


def check_new(store: StoreUnderTest, plugin: Plugin) -> None:
    """Check that the plugin is wholly its new version and runs."""
    now = store.now(plugin)
    assert now.enabled
    assert now.status.state is PluginState.RUNNING
    assert (now.reference, now.rootfs) == (REMOTE, "rootfs-j")
    assert now.settings["Env"] == ["DEBUG=9"]
    assert now.status.upgrading is None
    assert list(store.executor.containers) == [now.status.container_id]
    assert store.fake_folders.rootfs_of[plugin.plugin_id] == ["rootfs-j"]
    assert not store.fake_folders.staged


def check_old(store: StoreUnderTest, plugin: Plugin) -> None:
    """Check that the plugin is wholly its old version and runs."""
    now = store.now(plugin)
    assert now.enabled
    assert now.status.state is PluginState.RUNNING
    assert now.model_copy(update={"status": plugin.status}) == plugin
    assert now.status.upgrading is None
    assert list(store.executor.containers) == [now.status.container_id]
    assert store.fake_folders.rootfs_of[plugin.plugin_id] == ["rootfs"]
    assert not store.fake_folders.staged


@BOTH
async def test_enabled_plugin_becomes_its_new_version_and_stays_enabled(
    strategy: UpgradeStrategy,
) -> None:
    """After the monitor time the job is done, the old version's container and files are gone."""
    store = StoreUnderTest()
    plugin = await upgrading(store, strategy)
    told = store.now(plugin).status.upgrading
    assert told is not None
    assert (told.job_id, told.strategy, told.phase) == ("j", strategy, UpgradePhase.MONITOR)

    pass_time(store, plugin, 61)

    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    ended = store.records.jobs["j"]
    assert (ended.job.state, ended.job.phase) == (JobState.DONE, UpgradePhase.COMMIT)
    assert ended.handover is None
    assert store.records.actions() == ["enable", "pull", "upgrade"]
    await store.close()


async def test_stop_first_never_runs_two_versions() -> None:
    """The old version is gone before the new one is started."""
    store = StoreUnderTest()
    await upgrading(store, STOP_FIRST)

    sent = [
        type(one).__name__.removesuffix("Container")
        for one in store.executor.sent
        if isinstance(one, executor.StartContainer | executor.DiscardContainer)
    ]
    assert sent == ["Start", "Discard", "Start"]
    await eventually(lambda: len(store.queue.told["j"]) == 3)
    assert store.queue.told["j"] == [
        "Stopping the old version",
        "Starting the new version",
        "Watching whether the new version lasts for 60 s",
    ]
    await store.close()


async def test_start_first_swaps_once_the_new_version_is_ready() -> None:
    """Until then the record is the old version's; then both run, and the new one is called."""
    store = StoreUnderTest()
    plugin = await running(store)
    store.executor.may_start.clear()
    await begin(store, START_FIRST)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.START)
    before = store.now(plugin)
    assert before.status.container_id == plugin.status.container_id
    assert before.reference == plugin.reference
    assert before.status.upgrading is not None
    assert before.status.upgrading.beside == f"{plugin.plugin_id[:12]}-2"

    store.executor.may_start.set()
    await eventually(lambda: phase(store) is UpgradePhase.MONITOR)

    now = store.now(plugin)
    assert now.status.container_id == f"{plugin.plugin_id[:12]}-2"
    assert now.reference == REMOTE
    assert now.status.upgrading is not None
    assert now.status.upgrading.beside == plugin.status.container_id
    assert set(store.executor.containers) == {now.status.container_id, plugin.status.container_id}
    await store.close()


@BOTH
@pytest.mark.parametrize("how", ["ends", "sickens", "vanishes"])
async def test_new_version_that_does_not_last_is_rolled_back(
    strategy: UpgradeStrategy, how: str
) -> None:
    """The plugin is its old version again, and the job fails saying why."""
    store = StoreUnderTest()
    plugin = await upgrading(store, strategy)
    new = store.now(plugin).status.container_id or ""

    assert new != plugin.status.container_id
    match how:
        case "ends":
            await tell_exit(store, new)
            why = "the new version ended with exit code 3"
        case "sickens":
            store.executor.change(new, health=HealthStatus.UNHEALTHY)
            store.inventory.nudges.nudge(plugin.plugin_id)
            why = "the new version became unhealthy"
        case _:
            del store.executor.containers[new]
            store.inventory.nudges.nudge(plugin.plugin_id)
            why = f"container {new} of the new version is gone"

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert store.records.jobs["j"].job.state is JobState.FAILED
    runs = "runs on" if strategy is START_FIRST else "runs again"
    expected = f"plugin p:latest was not upgraded, its old version {runs}: {why}"
    assert store.queue.failed["j"].message == expected
    actions = store.records.actions()
    assert actions[:3] == ["enable", "pull", "upgrade"]
    assert ("die" in actions) == (how == "ends")
    assert actions[-1] == "rollback"
    if strategy is START_FIRST:
        assert store.now(plugin).status.container_id == plugin.status.container_id
    await store.close()


@BOTH
async def test_new_version_that_does_not_start_is_rolled_back(strategy: UpgradeStrategy) -> None:
    """Its error is the job's; of start-first, nothing was ever switched."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, strategy)
    store.executor.ailing[f"{plugin.plugin_id[:12]}-2"] = errdefs.Error("exited with code 7")

    await hand_over(store)

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert store.queue.failed["j"].message.endswith(": exited with code 7")
    if strategy is START_FIRST:
        assert store.records.actions() == ["enable", "rollback"]
    await store.close()


@BOTH
async def test_new_version_with_a_health_check_has_to_be_found_healthy(
    strategy: UpgradeStrategy,
) -> None:
    """Ready is not enough: start-first swaps, and stop-first is done, after a good verdict."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, strategy, monitor_s=0, drain_s=0)
    await hand_over(store, CHECKED)
    waits = UpgradePhase.MONITOR if strategy is STOP_FIRST else UpgradePhase.SWAP
    await eventually(lambda: phase(store) is waits)
    new = f"{plugin.plugin_id[:12]}-2"
    assert store.executor.containers[new].health is HealthStatus.STARTING

    store.executor.change(new, health=HealthStatus.HEALTHY)
    observed = ContainerObserved(container_id=new, degraded=False, health=HealthStatus.HEALTHY)
    await store.supervisor.container_observed(observed, delivery())

    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.HEALTHY)
    await store.close()


async def test_start_first_does_not_swap_to_what_is_found_unhealthy() -> None:
    """The old version was never left."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, START_FIRST)
    await hand_over(store, CHECKED)
    await eventually(lambda: phase(store) is UpgradePhase.SWAP)
    new = f"{plugin.plugin_id[:12]}-2"

    store.executor.change(new, health=HealthStatus.UNHEALTHY, health_message="no answer")
    store.inventory.nudges.nudge(plugin.plugin_id)

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert store.queue.failed["j"].message.endswith("the new version became unhealthy: no answer")
    assert store.records.actions() == ["enable", "rollback"]
    await store.close()


async def test_start_waits_for_an_executor_that_is_away() -> None:
    """A part that does not answer is no fault of the new version: it is asked again."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, START_FIRST, monitor_s=0, drain_s=0)
    away = errdefs.Unavailable("the executor is away")
    store.executor.refusals[executor.StartContainer] = away
    await hand_over(store)
    await eventually(lambda: len(store.executor.sent) > 3)
    assert phase(store) is UpgradePhase.START

    del store.executor.refusals[executor.StartContainer]

    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await store.close()


async def test_start_gives_up_when_the_executor_stays_away() -> None:
    """After two minutes the old version is kept, and the error says who did not answer."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, START_FIRST)
    away = errdefs.Unavailable("the executor is away")
    store.executor.refusals[executor.StartContainer] = away
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.START)

    store.fake_clock.advance(121)

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert store.queue.failed["j"].message.endswith("the executor is away")
    await store.close()


async def test_old_version_is_drained_until_its_leases_have_moved() -> None:
    """A renewal after the swap counts on the new version; then the old one goes at once."""
    store = StoreUnderTest()
    plugin = await running(store)
    acquire = GetPlugin(
        name="p", mode=GetMode.ACQUIRE, owner="volume/a", capability="volumedriver", ttl_s=600
    )
    await store.references.get(acquire, delivery())
    await begin(store, START_FIRST, monitor_s=0, drain_s=300)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.DRAIN)
    assert plugin.status.container_id in store.executor.containers

    got = await store.references.get(acquire, delivery())

    assert got.plugin.status.container_id == f"{plugin.plugin_id[:12]}-2"
    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await store.close()


@pytest.mark.parametrize("how", ["released", "deadline"])
async def test_drain_ends_with_the_last_lease_or_with_its_deadline(how: str) -> None:
    """Who never renews holds the old version no longer than the drain time."""
    store = StoreUnderTest()
    plugin = await running(store)
    lease = GetPlugin(
        name="p", mode=GetMode.ACQUIRE, owner="user/a", capability="volumedriver", ttl_s=9999
    )
    await store.references.get(lease, delivery())
    await begin(store, START_FIRST, monitor_s=0, drain_s=300)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.DRAIN)

    if how == "released":
        released = lease.model_copy(update={"mode": GetMode.RELEASE})
        await store.references.get(released, delivery())
    else:
        pass_time(store, plugin, 301)

    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await store.close()


async def test_new_version_that_ends_while_the_old_one_drains_is_restarted() -> None:
    """It has lasted: from here on its supervisor looks after it."""
    store = StoreUnderTest()
    plugin = await running(store)
    lease = GetPlugin(
        name="p", mode=GetMode.ACQUIRE, owner="user/a", capability="volumedriver", ttl_s=9999
    )
    await store.references.get(lease, delivery())
    await begin(store, START_FIRST, monitor_s=0, drain_s=300)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.DRAIN)

    await tell_exit(store, store.now(plugin).status.container_id or "")

    await eventually(lambda: "restart" in store.records.actions())
    assert store.now(plugin).reference == REMOTE
    pass_time(store, plugin, 301)
    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await store.close()


async def test_old_version_that_ends_while_the_new_one_starts_is_restarted() -> None:
    """Until the swap it is the one that is called."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, START_FIRST, monitor_s=0)
    may_start = store.executor.held_back[f"{plugin.plugin_id[:12]}-2"] = asyncio.Event()
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.START)

    await tell_exit(store, plugin.status.container_id or "")
    await eventually(lambda: "restart" in store.records.actions())
    assert store.now(plugin).status.container_id == f"{plugin.plugin_id[:12]}-3"

    may_start.set()
    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await store.close()


@BOTH
async def test_upgrade_that_is_cancelled_is_rolled_back(strategy: UpgradeStrategy) -> None:
    """A wish to end it is heard until the new version has lasted."""
    store = StoreUnderTest()
    plugin = await upgrading(store, strategy)

    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert store.queue.failed["j"].message.endswith("job j was cancelled")
    assert store.records.jobs["j"].job.cancelled
    await store.close()


async def test_upgrade_that_is_settled_can_t_be_cancelled() -> None:
    """Once the old version drains, the job stays as it is."""
    store = StoreUnderTest()
    plugin = await running(store)
    lease = GetPlugin(
        name="p", mode=GetMode.ACQUIRE, owner="user/a", capability="volumedriver", ttl_s=9999
    )
    await store.references.get(lease, delivery())
    await begin(store, START_FIRST, monitor_s=0, drain_s=300)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.DRAIN)

    reply = await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())

    assert not reply.job.cancelled
    pass_time(store, plugin, 301)
    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    await store.close()


@BOTH
async def test_upgrade_is_taken_up_by_the_next_store(strategy: UpgradeStrategy) -> None:
    """A store that died while it watched the new version leaves both where they are."""
    first = StoreUnderTest()
    plugin = await upgrading(first, strategy)

    again = await first.restarted()

    assert phase(again) is UpgradePhase.MONITOR
    pass_time(again, plugin, 61)
    await eventually(lambda: is_over(again))
    check_new(again, plugin)
    await again.close()


async def test_an_upgrade_that_is_taken_up_goes_on_in_its_trace() -> None:
    """The phases after a store's death lie in the trace in which the upgrade was asked for."""
    first = StoreUnderTest()
    with recorded() as exporter:
        with trace.get_tracer("test").start_as_current_span("request") as request:
            asked_in = request.get_span_context().trace_id
            plugin = await upgrading(first, UpgradeStrategy.STOP_FIRST)
        again = await first.restarted()
        exporter.clear()
        pass_time(again, plugin, 61)
        await eventually(lambda: is_over(again))
        await again.close()

    phases = [one for one in exporter.get_finished_spans() if one.name.startswith("upgrade ")]
    assert {one.name for one in phases} >= {"upgrade monitor"}
    assert {one.context.trace_id for one in phases if one.context} == {asked_in}


@BOTH
async def test_upgrade_survives_a_store_that_dies_after_any_commit(
    strategy: UpgradeStrategy,
) -> None:
    """Cut off after each commit in turn, the upgrade ends well, with nothing left over."""
    dies_after = 0
    while await died_after(strategy, dies_after):
        dies_after += 1
    assert dies_after > 4


@BOTH
async def test_node_that_goes_down_in_an_upgrade_comes_up_with_the_old_version(
    strategy: UpgradeStrategy,
) -> None:
    """What was watched was stopped with everything: nobody knows whether it would have lasted."""
    store = StoreUnderTest()
    plugin = await upgrading(store, strategy)
    await store.node.shut_down(ShutDownNode(), delivery())
    assert not store.executor.containers

    again = await store.restarted()

    await eventually(lambda: is_over(again))
    check_old(again, plugin)
    await again.close()


async def test_disabled_plugin_is_replaced_whatever_the_strategy() -> None:
    """Nothing runs, so there is nothing to hand over."""
    store = StoreUnderTest()
    plugin = await running(store)
    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())
    await begin(store, START_FIRST)

    await hand_over(store)

    now = store.now(plugin)
    assert (now.enabled, now.reference) == (False, REMOTE)
    assert store.records.jobs["j"].job.state is JobState.DONE
    assert not store.executor.containers


async def test_start_first_is_for_plugins_that_declare_it() -> None:
    """Both versions must say that two may run side by side."""
    store = StoreUnderTest()
    await running(store, CONFIG)
    with pytest.raises(errdefs.InvalidArgument, match="the installed version of plugin p:latest"):
        await begin(store, START_FIRST)

    other = StoreUnderTest()
    plugin = await running(other)
    await begin(other, START_FIRST)
    with pytest.raises(errdefs.InvalidArgument, match="the new version of plugin p:latest does"):
        await hand_over(other, CONFIG)
    assert other.now(plugin) == plugin
    assert other.fake_folders.staged == {"j"}


@BOTH
async def test_new_version_that_could_not_start_is_not_begun_with(
    strategy: UpgradeStrategy,
) -> None:
    """What it requires has to be ready before the old version is touched."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, strategy)
    needy = NEW.replace(b'"handover": true', b'"handover": true, "requires": ["other"]')

    with pytest.raises(errdefs.Conflict, match=r"plugin p:latest cannot be upgraded: .*other"):
        await hand_over(store, needy)

    assert store.now(plugin) == plugin
    assert store.fake_folders.staged == {"j"}


async def test_worker_has_no_say_once_an_upgrade_is_decided() -> None:
    """It can neither fail the job nor take it again; and the plugin is nobody else's."""
    store = StoreUnderTest()
    await upgrading(store, STOP_FIRST)
    token = store.records.jobs["j"].token

    fail = job.FailJob(job_id="j", token=token, error={"code": "internal", "message": "x"})
    for late in (
        store.jobs.fail(fail, delivery()),
        store.jobs.take(job.TakeJob(job_id="j", worker="other"), delivery()),
        store.lifecycle.disable(DisablePlugin(name="p"), delivery()),
    ):
        with pytest.raises(errdefs.Conflict):
            await late
    store.fake_clock.advance(10_000)
    await store.job_watch.look()
    await store.job_watch.requeue_all()
    assert store.queue.queued == ["j"]
    await store.close()


@BOTH
@pytest.mark.parametrize("verb", ["disable", "remove"])
async def test_upgrade_gives_way_to_who_forces(strategy: UpgradeStrategy, verb: str) -> None:
    """A forced disable or remove has it rolled back first, and then does what it always does."""
    store = StoreUnderTest()
    plugin = await upgrading(store, strategy)

    if verb == "disable":
        await store.lifecycle.disable(DisablePlugin(name="p", force=True), delivery())
        now = store.now(plugin)
        assert (now.enabled, now.reference) == (False, plugin.reference)
    else:
        await store.removal.remove(RemovePlugin(name="p", force=True), delivery())
        assert store.inventory.get(plugin.plugin_id) is None

    assert store.records.jobs["j"].job.state is JobState.FAILED
    assert not store.executor.containers
    await store.close()


async def test_drain_is_cut_short_for_who_forces() -> None:
    """The new version stays, whoever still counts on the old one, and is disabled then."""
    store = StoreUnderTest()
    plugin = await running(store)
    lease = GetPlugin(
        name="p", mode=GetMode.ACQUIRE, owner="user/a", capability="volumedriver", ttl_s=9999
    )
    await store.references.get(lease, delivery())
    await begin(store, START_FIRST, monitor_s=0, drain_s=3000)
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.DRAIN)

    await store.lifecycle.disable(DisablePlugin(name="p", force=True), delivery())

    assert store.records.jobs["j"].job.state is JobState.DONE
    assert (store.now(plugin).enabled, store.now(plugin).reference) == (False, REMOTE)
    assert not store.executor.containers
    await store.close()


async def test_job_that_has_not_begun_gives_way() -> None:
    """One that waits for a worker ends at once."""
    store = StoreUnderTest()
    await running(store)
    await begin(store, START_FIRST)

    await store.lifecycle.disable(DisablePlugin(name="p", force=True), delivery())

    assert store.records.jobs["j"].job.state is JobState.FAILED


async def test_who_forces_hears_of_a_job_that_does_not_end_in_time() -> None:
    """A worker that is deaf keeps the plugin until its lease is over; the error names the job."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, START_FIRST)
    await store.jobs.take(job.TakeJob(job_id="j", worker="w"), delivery())
    forced = dataclasses.replace(delivery(), deadline_ns=store.fake_clock.now_ns + 10**8)

    waiting = asyncio.create_task(
        store.lifecycle.disable(DisablePlugin(name="p", force=True), forced)
    )
    await eventually(lambda: store.records.jobs["j"].job.cancelled)
    store.fake_clock.advance(1)
    store.inventory.nudges.nudge(plugin.plugin_id)

    with pytest.raises(errdefs.Conflict, match="is being upgraded by job j"):
        await waiting
    assert store.now(plugin).enabled


async def test_blobs_of_both_versions_are_kept_until_one_is_chosen() -> None:
    """A rollback finds all that the old version was made of."""
    store = StoreUnderTest()
    plugin = await upgrading(store, START_FIRST)
    store.content.digests = {plugin.config_digest, f"sha256:{'c' * 64}", "sha256:junk"}

    gone = await store.garbage.collect_for(CollectGarbage(), delivery())

    assert gone.digests == ("sha256:junk",)
    await store.close()


async def test_comparison_leaves_both_containers_alone() -> None:
    """Two containers of one plugin are right while one takes over from the other."""
    store = StoreUnderTest()
    await upgrading(store, START_FIRST)

    await store.supervisor._compare()
    await asyncio.sleep(0)

    assert len(store.executor.containers) == 2
    assert {one.status for one in store.executor.containers.values()} == {ContainerStatus.RUNNING}
    await store.close()


async def test_upgrade_that_is_not_watched_is_committed_three_times() -> None:
    """Decided, stopped, over: what needs no commit of its own is told with the next one."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, STOP_FIRST, monitor_s=0)
    before = len(store.records.outbox)

    await hand_over(store)

    await eventually(lambda: is_over(store))
    check_new(store, plugin)
    phases = [
        one.plugin.status.upgrading and one.plugin.status.upgrading.phase
        for one in store.records.outbox[before:]
        if one.plugin
    ]
    assert phases == [UpgradePhase.STOP, UpgradePhase.START, None]
    await store.close()


async def test_upgrade_that_is_cancelled_while_it_stops_is_none() -> None:
    """The old version is started again, and nobody hears that there was another."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, STOP_FIRST, monitor_s=0)
    store.executor.may_discard.clear()
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.STOP)

    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())
    store.executor.may_discard.set()

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert "upgrade" not in store.records.actions()
    assert store.queue.failed["j"].message.endswith("job j was cancelled")
    await store.close()


@BOTH
async def test_upgrade_that_is_cancelled_while_it_starts_is_rolled_back(
    strategy: UpgradeStrategy,
) -> None:
    """Even where nothing is watched: the wish came before the new version counted."""
    store = StoreUnderTest()
    plugin = await running(store)
    await begin(store, strategy, monitor_s=0)
    may_start = store.executor.held_back[f"{plugin.plugin_id[:12]}-2"] = asyncio.Event()
    await hand_over(store)
    await eventually(lambda: phase(store) is UpgradePhase.START)

    await store.jobs.cancel(job.CancelJob(job_id="j"), delivery())
    may_start.set()

    await eventually(lambda: is_over(store))
    check_old(store, plugin)
    assert store.queue.failed["j"].message.endswith("job j was cancelled")
    await store.close()


@pytest.mark.parametrize("is_told", [True, False])
async def test_plugin_is_looked_at_after_its_upgrade_where_something_was_told(
    *, is_told: bool
) -> None:
    """What is told while the upgrade decides is looked at once it is over; nothing, otherwise."""
    store = StoreUnderTest()
    plugin = await upgrading(store, STOP_FIRST)
    new = store.now(plugin).status.container_id or ""
    await eventually(lambda: gets(store) == 1)  # it is watched by now, not only about to be
    if is_told:
        observed = ContainerObserved(container_id=new, degraded=False, health=HealthStatus.NONE)
        await store.supervisor.container_observed(observed, delivery())
    await eventually(lambda: gets(store) == (3 if is_told else 1))
    store.executor.sent.clear()

    pass_time(store, plugin, 61)

    await eventually(lambda: is_over(store))
    await store.supervisor._looks.settled()
    assert gets(store) == 1 + is_told  # one is the monitor's
    check_new(store, plugin)
    await store.close()


_REFUSALS = pytest.mark.parametrize(
    "refusal", [errdefs.Unavailable("EIO"), OSError(errno.EPERM, "no")], ids=["named", "another"]
)


@_REFUSALS
async def test_old_files_that_the_disk_keeps_do_not_keep_an_upgrade(refusal: Exception) -> None:
    """It is told as done, the plugin is looked after, and the next start finds the files."""
    store = StoreUnderTest()
    plugin = await upgrading(store, STOP_FIRST)
    store.fake_folders.move_refusal = refusal

    pass_time(store, plugin, 61)

    await eventually(lambda: is_over(store))
    assert store.fake_folders.rootfs_of[plugin.plugin_id] == ["rootfs", "rootfs-j"]
    await tell_exit(store, store.now(plugin).status.container_id or "")
    await eventually(lambda: store.records.actions()[-2:] == ["die", "restart"])
    store.fake_folders.move_refusal = None
    again = await store.restarted()
    await eventually(lambda: again.startup.current.ended_at_ns is not None)
    check_new(again, plugin)
    await again.close()


@_REFUSALS
async def test_new_files_that_the_disk_keeps_do_not_keep_a_rollback(refusal: Exception) -> None:
    """It is told as failed, and the old version is looked after, though the new one's lie there."""
    store = StoreUnderTest()
    plugin = await upgrading(store, STOP_FIRST)
    store.fake_folders.move_refusal = refusal

    await tell_exit(store, store.now(plugin).status.container_id or "")

    await eventually(lambda: is_over(store))
    assert "j" in store.queue.failed
    assert store.fake_folders.rootfs_of[plugin.plugin_id] == ["rootfs", "rootfs-j"]
    store.fake_folders.move_refusal = None
    again = await store.restarted()
    await eventually(lambda: again.startup.current.ended_at_ns is not None)
    check_old(again, plugin)
    await again.close()


@_REFUSALS
async def test_old_files_that_the_disk_keeps_do_not_fail_a_replacement(refusal: Exception) -> None:
    """What is committed is answered for: the worker is not told that it failed."""
    store = StoreUnderTest()
    plugin = await running(store)
    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())
    await begin(store, STOP_FIRST)
    store.fake_folders.move_refusal = refusal

    await hand_over(store)

    assert store.now(plugin).reference == REMOTE
    assert store.records.jobs["j"].job.state is JobState.DONE
    assert not store.fake_folders.staged
    await store.close()
