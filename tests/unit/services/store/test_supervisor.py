"""Plugins that end unasked, containers that nobody knows, and restarts."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from structlog.testing import capture_logs

from services.store.domain.operation import Kind, Unit
from services.store.domain.restart import Backoff
from services.store.ports import Committed
from shared import errdefs
from shared.contracts import executor
from shared.contracts.executor import Container, ContainerExited, ContainerStatus, Exit
from shared.contracts.job import BeginJob, JobKind, JobRequest, TakeJob
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import DisablePlugin, EnablePlugin, RemovePlugin, ShutDownNode
from tests.support.executor import FakeExecutor
from tests.support.store import FakeRecords, StoreUnderTest, delivery
from tests.support.wait import all_have_run, eventually


async def crash(store: StoreUnderTest, plugin: Plugin, exit_code: int | None = 1) -> str:
    """End the plugin's container and publish the exit; return the container's id."""
    container_id = store.now(plugin).status.container_id or ""
    store.executor.end(container_id, exit_code, at_ns=store.fake_clock.now_ns)
    fact = ContainerExited(
        container_id=container_id,
        exit=Exit(exit_code=exit_code, exited_at_ns=store.fake_clock.now_ns),
    )
    await store.supervisor.container_exited(fact, delivery())
    return container_id


async def running(store: StoreUnderTest) -> Plugin:
    """Install and enable a plugin."""
    plugin = await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    return plugin


async def test_plugin_that_ended_is_started_again() -> None:
    """The first restart follows at once, in a new container, and both are told."""
    store = StoreUnderTest()
    plugin = await running(store)

    ended = await crash(store, plugin)

    await eventually(lambda: store.records.actions() == ["enable", "die", "restart"])
    now = store.now(plugin)
    assert now.status.state is PluginState.RUNNING
    assert now.status.container_id == f"{plugin.plugin_id[:12]}-2"
    assert ended not in store.executor.containers
    await store.close()


async def test_exit_that_is_told_twice_restarts_once() -> None:
    """A repeated exit finds the plugin in another container and changes nothing."""
    store = StoreUnderTest()
    plugin = await running(store)
    container_id = await crash(store, plugin)
    await eventually(lambda: "restart" in store.records.actions())

    fact = ContainerExited(container_id=container_id, exit=Exit(exit_code=1, exited_at_ns=0))
    await store.supervisor.container_exited(fact, delivery())
    await eventually(lambda: not store.lanes.is_busy(plugin.plugin_id))

    assert store.records.actions() == ["enable", "die", "restart"]
    await store.close()


async def test_disable_does_not_wait_for_a_restart_that_hangs() -> None:
    """A restart under way is called off by disable, and leaves no container."""
    store = StoreUnderTest()
    plugin = await running(store)
    store.executor.may_start.clear()
    await crash(store, plugin)
    await eventually(lambda: store.now(plugin).status.state is PluginState.STARTING)

    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    assert not store.now(plugin).enabled
    assert not store.records.operations
    assert not store.executor.containers
    await store.close()


async def test_start_that_fails_is_tried_again() -> None:
    """A wished plugin is never given up: a failed restart has a due time of its own."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.001))
    plugin = await running(store)
    store.executor.refusals[executor.StartContainer] = errdefs.Internal("no")
    await crash(store, plugin)
    await eventually(lambda: "start_failed" in store.records.actions())

    store.executor.refusals.clear()
    store.fake_clock.advance(3600)

    await eventually(lambda: store.now(plugin).status.state is PluginState.RUNNING)
    await store.close()


async def test_store_that_comes_back_takes_up_what_runs() -> None:
    """After a crash of the store the plugin keeps its container and no event is made up."""
    first = StoreUnderTest()
    plugin = await running(first)

    again = await first.restarted()
    await eventually(lambda: not again.lanes.is_busy(plugin.plugin_id))

    assert again.now(plugin).status.state is PluginState.RUNNING
    assert again.records.actions() == ["enable"]
    await again.close()


async def test_exit_that_nobody_heard_is_found_at_the_next_start() -> None:
    """A container that ended while the store was away is restarted when it comes back."""
    first = StoreUnderTest()
    plugin = await running(first)
    first.executor.end(first.now(plugin).status.container_id or "", 137)

    again = await first.restarted()

    await eventually(lambda: again.records.actions() == ["enable", "die", "restart"])
    await again.close()


async def test_wished_plugin_whose_container_vanished_is_started() -> None:
    """After a reboot the executor knows no container: the plugin ended, code unknown."""
    first = StoreUnderTest()
    plugin = await running(first)
    first.executor.containers.clear()

    again = await first.restarted()

    await eventually(lambda: again.records.actions() == ["enable", "die", "restart"])
    assert again.now(plugin).status.state is PluginState.RUNNING
    fact = next(
        fact for change in again.records.outbox for fact in change.facts if fact.action == "die"
    )
    assert fact.attributes["exitCode"] == "unknown"
    await again.close()


async def test_container_without_a_plugin_is_cleared_away() -> None:
    """A container that the inventory does not know is stopped and deleted."""
    fake = FakeExecutor()
    fake.containers["stray-1"] = Container(
        container_id="stray-1", status=ContainerStatus.RUNNING, pid=1, socket_dir="/run/stray-1"
    )
    store = StoreUnderTest(executor=fake)

    store.supervisor.compare_soon()

    await eventually(lambda: not fake.containers)
    await store.close()


async def test_container_that_cannot_be_deleted_holds_up_nothing_else() -> None:
    """Other strays go, and plugins that ended unheard start again, while its mount is busy."""
    first = StoreUnderTest()
    plugin = await running(first)
    fake = first.executor
    for name in ("stray-1", "stray-2"):
        fake.containers[name] = Container(
            container_id=name, status=ContainerStatus.EXITED, socket_dir=f"/run/{name}"
        )
    fake.undeletable["stray-1"] = errdefs.Conflict("busy")
    fake.end(first.now(plugin).status.container_id or "", 1)

    again = await first.restarted()
    await eventually(lambda: again.records.actions() == ["enable", "die", "restart"])
    assert "stray-1" in fake.containers
    assert "stray-2" not in fake.containers
    fake.undeletable.clear()

    await eventually(lambda: "stray-1" not in fake.containers)
    assert set(await again.supervisor.first_compared()) == {"stray-1", "stray-2"}
    await again.close()


async def test_plugin_whose_conmon_died_is_shown_degraded() -> None:
    """A degraded container makes the plugin degraded, once told, still running."""
    store = StoreUnderTest()
    plugin = await running(store)
    container_id = store.now(plugin).status.container_id or ""
    store.executor.change(container_id, degraded=True)

    for _ in range(2):
        await store.supervisor.container_observed(
            executor.ContainerObserved(
                container_id=container_id, degraded=True, health=executor.HealthStatus.NONE
            ),
            delivery(),
        )
    await eventually(lambda: store.now(plugin).status.degraded)
    await eventually(lambda: not store.lanes.is_busy(plugin.plugin_id))

    assert store.now(plugin).status.state is PluginState.RUNNING
    assert store.records.actions() == ["enable", "degraded"]
    await store.close()


async def test_shut_down_stops_plugins_that_stay_wished() -> None:
    """After a shutdown nothing runs, everything is wished as before, and verbs are refused."""
    store = StoreUnderTest()
    plugin = await running(store)

    await store.node.shut_down(ShutDownNode(), delivery())

    assert store.now(plugin).enabled
    assert store.now(plugin).status.state is PluginState.STOPPED
    assert not store.executor.containers
    assert store.executor.released
    with pytest.raises(errdefs.Unavailable):
        await store.gate.guard(store.lifecycle.disable)(DisablePlugin(name="p"), delivery())

    again = await store.restarted()
    await eventually(lambda: again.now(plugin).status.state is PluginState.RUNNING)
    await again.close()


@pytest.mark.parametrize("removes", [False, True])
async def test_verb_that_is_refused_leaves_a_restart_that_waits(*, removes: bool) -> None:
    """A plugin that a job has in its hands is restarted when due, though a verb was refused."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.2))
    plugin = await running(store)
    store.executor.refusals[executor.StartContainer] = errdefs.Unavailable("gone")
    await crash(store, plugin)
    await eventually(lambda: "start_failed" in store.records.actions())
    store.executor.refusals.clear()
    push = JobRequest(kind=JobKind.PUSH, name="p:latest", remote="registry.example/p:v1")
    await store.jobs.begin(BeginJob(job_id="j", request=push), delivery())

    await store.jobs.take(TakeJob(job_id="j", worker="w"), delivery())

    if removes:
        at_once = dataclasses.replace(delivery(), deadline_ns=store.fake_clock.now_ns)
        verb = store.removal.remove(RemovePlugin(name="p", force=True), at_once)
    else:
        verb = store.lifecycle.disable(DisablePlugin(name="p"), delivery())
    with pytest.raises(errdefs.Conflict, match="is being pushed by job j"):
        await verb

    await eventually(lambda: store.now(plugin).status.state is PluginState.RUNNING)
    await store.close()


async def test_forced_remove_beside_a_restart_leaves_nothing() -> None:
    """A plugin removed by force while it restarts is gone, with its container and its folder."""
    store = StoreUnderTest()
    plugin = await running(store)
    store.fake_folders.installed.add(plugin.plugin_id)
    store.executor.may_start.clear()
    await crash(store, plugin)
    await eventually(lambda: store.now(plugin).status.state is PluginState.STARTING)

    await store.removal.remove(RemovePlugin(name="p", force=True), delivery())
    store.executor.may_start.set()
    await asyncio.sleep(0)

    assert store.inventory.get(plugin.plugin_id) is None
    assert not store.executor.containers
    assert not store.fake_folders.installed
    await store.close()


async def test_restart_that_the_disk_refuses_heals_when_there_is_room() -> None:
    """A commit that fails in the middle of a restart leaves nothing stuck."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.001))
    plugin = await running(store)
    store.executor.may_start.clear()
    await crash(store, plugin)
    await eventually(lambda: store.now(plugin).status.state is PluginState.STARTING)
    store.records.refusal = errdefs.ResourceExhausted("the disk is full")
    store.executor.may_start.set()
    await eventually(lambda: store.records.refused > 1)

    store.records.refusal = None
    store.fake_clock.advance(3600)

    await eventually(lambda: store.now(plugin).status.state is PluginState.RUNNING)
    assert not store.records.operations
    assert len(store.executor.containers) == 1
    await store.close()


async def test_disable_does_not_wait_for_a_restart_that_the_disk_refuses() -> None:
    """A restart that fails while it is called off is over: disable is heard, and can be tried."""
    store = StoreUnderTest()
    plugin = await running(store)
    disk = _DiskThatFills(store.records)
    store.records.commit = disk.commit  # type: ignore[method-assign]  # it begins no restart
    await crash(store, plugin)
    await disk.asked.wait()

    disabling = asyncio.create_task(store.lifecycle.disable(DisablePlugin(name="p"), delivery()))
    await all_have_run()
    with capture_logs() as lines:
        disk.answers.set()
        await asyncio.wait_for(disabling, 20)

    assert "restart called off: it had failed" in {line["event"] for line in lines}
    assert not store.now(plugin).enabled
    assert store.records.actions() == ["enable", "die", "disable"]
    await store.close()


class _DiskThatFills:
    """Refuses what begins a restart, once *answers* is set."""

    def __init__(self, records: FakeRecords) -> None:
        self._commit = records.commit
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def commit(self, unit: Unit) -> Committed:
        """Commit all else."""
        if unit.begin is None or unit.begin.kind is not Kind.RESTART:
            return await self._commit(unit)
        self.asked.set()
        await self.answers.wait()
        raise errdefs.ResourceExhausted("the disk is full")
