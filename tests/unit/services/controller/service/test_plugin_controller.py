"""What a task's phases do to its node's plugin."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.controller.domain import task
from services.controller.domain.task import Step, TaskRecord
from services.controller.service.plugin_controller import PluginController
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.swarm import PluginSpec, ServiceSpec, UpdateConfig, UpdateOrder
from shared.contracts.upgrade import UpgradeStrategy
from tests.support.plugin_backend import FakeBackend, installed
from tests.support.wait import eventually

REMOTE = "registry.example/p:v1"
NAME = "p:latest"


def spec(**changes: Any) -> ServiceSpec:
    """Return a service's spec; *changes* are to its plugin."""
    plugin = PluginSpec(name="p", remote=REMOTE).model_copy(update=changes)
    return ServiceSpec(name="s", plugin=plugin)


def controller(
    backend: FakeBackend,
    wanted: ServiceSpec | None = None,
    *,
    task_id: str = "t",
    service: str = "s",
) -> PluginController:
    """Return the controller of a new task."""
    record = task.begun(task_id, service, "n", "id-n", wanted or spec(), 1)
    return PluginController(backend=backend, record=record)


async def prepared(one: PluginController) -> PluginController:
    """Prepare a task and return the controller of what it is then."""
    record = task.prepared(one.record, await one.prepare(), 2)
    return await one.update(record)


async def started(one: PluginController) -> PluginController:
    """Prepare a task, start it and return the controller of what it is then."""
    ready = await prepared(one)
    record = task.started(task.advanced(ready.record, Step.BEGIN_START, 3), await ready.start(), 4)
    return await ready.update(record)


async def succeeding(
    before: PluginController, wanted: ServiceSpec, *, task_id: str = "t2"
) -> PluginController:
    """Return the controller of the task that follows another on its node."""
    record = task.begun(task_id, before.record.task.service_id, "n", "id-n", wanted, 5)
    return PluginController(backend=before.backend, record=record, before=before.record.applied)


class Waiting:
    """A task that waits, and what it has seen."""

    def __init__(self, one: PluginController) -> None:
        self.seen: list[Plugin] = []
        self.task = asyncio.create_task(self._wait(one))

    async def _wait(self, one: PluginController) -> None:
        async for plugin in one.wait():
            self.seen.append(plugin)

    async def ends_with(self, text: str) -> None:
        """Expect the wait to end in an error."""
        with pytest.raises(errdefs.Conflict, match=text):
            await asyncio.wait_for(self.task, 5)

    async def cancel(self) -> None:
        """End the wait from outside."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def waiting(one: PluginController) -> Waiting:
    """Return a task's wait, once it has seen its plugin."""
    wait = Waiting(one)
    await eventually(lambda: wait.seen or wait.task.done())
    return wait


async def test_h01_prepare_pulls_a_plugin_that_is_not_there() -> None:
    """The service's plugin is pulled, as its own, with its environment."""
    backend = FakeBackend()

    ready = await prepared(controller(backend, spec(env=("foo=bar",))))

    assert backend.done == ["pull"]
    (asked,) = backend.requests
    assert (asked.name, asked.remote, asked.env) == (NAME, REMOTE, ("foo=bar",))
    assert asked.swarm_service_id == "s"
    assert ready.record.applied is not None


async def test_h02_prepare_upgrades_the_service_s_own_plugin() -> None:
    """A second task of the service with another spec upgrades what is there."""
    backend = FakeBackend()
    first = await prepared(controller(backend))

    await prepared(await succeeding(first, spec(remote="registry.example/p:v2")))

    assert backend.done == ["pull", "upgrade"]
    assert backend.requests[-1].strategy is UpgradeStrategy.STOP_FIRST


@pytest.mark.parametrize("owner", ["other", ""])
async def test_h03_prepare_leaves_the_plugin_of_somebody_else(owner: str) -> None:
    """What another service or a person installed is an error, and stays."""
    backend = FakeBackend()
    await backend.put(installed(NAME, REMOTE, owner))

    with pytest.raises(errdefs.AlreadyExists, match="plugin already exists: p:latest"):
        await controller(backend).prepare()

    assert backend.done == []


async def test_h04_start_makes_the_plugin_as_desired() -> None:
    """Enabled, then disabled, then enabled again, by tasks that follow one another."""
    backend = FakeBackend()

    on = await started(controller(backend))
    assert backend.plugins[on.record.applied.plugin_id].enabled  # type: ignore[union-attr] # it was applied

    off = await started(await succeeding(on, spec(disabled=True)))
    assert not backend.plugins[off.record.applied.plugin_id].enabled  # type: ignore[union-attr] # it was applied

    again = await started(await succeeding(off, spec(), task_id="t3"))
    assert backend.plugins[again.record.applied.plugin_id].enabled  # type: ignore[union-attr] # it was applied
    assert backend.done == ["pull", "enable", "disable", "enable"]


async def test_h05_wait_ends_when_it_is_cancelled() -> None:
    """Nothing but its own cancellation ends the wait of a plugin that is as desired."""
    wait = await waiting(await started(controller(FakeBackend())))

    wait.task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await wait.task


async def test_h06_a_disabled_plugin_that_is_enabled_ends_the_wait() -> None:
    """Enabled by somebody: the wait ends; started again it is disabled, and removed it ends."""
    backend = FakeBackend()
    off = await started(controller(backend, spec(disabled=True)))
    wait = await waiting(off)
    await backend.switch(NAME, enabled=True)
    await wait.ends_with("plugin enabled")

    await off.start()
    wait = await waiting(off)
    await backend.put(backend.plugins[off.record.applied.plugin_id].model_copy())  # type: ignore[union-attr] # it was applied
    await backend.switch(NAME, enabled=False)
    assert not wait.task.done()
    await backend.remove(NAME, force=True)
    await wait.ends_with("removed")


async def test_h07_an_enabled_plugin_that_is_disabled_ends_the_wait() -> None:
    """Disabled by somebody: the wait ends; started again it is enabled, and removed it ends."""
    backend = FakeBackend()
    on = await started(controller(backend))
    wait = await waiting(on)
    await backend.switch(NAME, enabled=False)
    await wait.ends_with("plugin disabled")

    await on.start()
    wait = await waiting(on)
    await backend.switch(NAME, enabled=True)
    assert not wait.task.done()
    await backend.remove(NAME, force=True)
    await wait.ends_with("removed")


async def test_h08_the_last_task_s_removal_is_the_plugin_s() -> None:
    """Of two tasks on one plugin the first removal keeps it, and the second removes it."""
    backend = FakeBackend()
    first = await started(controller(backend))
    second = await started(await succeeding(first, spec()))

    await first.remove((second.record,))
    assert backend.plugins
    assert backend.held == {"t2"}

    await second.remove(())
    assert not backend.plugins


async def test_the_phases_that_end_a_task_leave_the_plugin_running() -> None:
    """Shutdown, terminate and close stop nothing; only the task's hold is given up."""
    backend = FakeBackend()
    on = await started(controller(backend))
    done = list(backend.done)

    await on.shutdown()
    await on.terminate()
    await on.close()

    assert backend.done == done
    assert backend.held == set()


async def test_an_unchanged_spec_restarts_nothing() -> None:
    """A task that wants what the one before has made finds it, and does nothing."""
    backend = FakeBackend()
    first = await started(controller(backend))

    await started(await succeeding(first, spec()))

    assert backend.done == ["pull", "enable"]


async def test_another_environment_is_applied() -> None:
    """Only the environment differs: the plugin is given it."""
    backend = FakeBackend()
    first = await started(controller(backend, spec(env=("A=1",))))

    await started(await succeeding(first, spec(env=("A=2",))))

    assert backend.done == ["pull", "enable", "upgrade"]
    assert backend.requests[-1].env == ("A=2",)


async def test_forced_update_does_it_anew() -> None:
    """A counter that was counted up is reason enough: the tag may mean something else by now."""
    backend = FakeBackend()
    first = await started(controller(backend))

    await started(await succeeding(first, spec().model_copy(update={"force_update": 1})))

    assert backend.done == ["pull", "enable", "upgrade"]


async def test_what_a_person_changed_is_put_right() -> None:
    """Upgraded by hand to something else, the plugin is made the spec's again."""
    backend = FakeBackend()
    first = await started(controller(backend))
    plugin = backend.plugins[first.record.applied.plugin_id]  # type: ignore[union-attr] # it was applied
    await backend.put(plugin.model_copy(update={"manifest_digest": f"sha256:{'0' * 64}"}))

    await started(await succeeding(first, spec()))

    assert backend.done[-1] == "upgrade"


async def test_order_decides_whether_two_versions_run_side_by_side() -> None:
    """The service's update order is the upgrade's strategy."""
    backend = FakeBackend()
    first = await started(controller(backend))
    wanted = spec(remote="registry.example/p:v2").model_copy(
        update={"update": UpdateConfig(order=UpdateOrder.START_FIRST, monitor_ns=2 * 10**9)}
    )

    await started(await succeeding(first, wanted))

    assert backend.requests[-1].strategy is UpgradeStrategy.START_FIRST
    assert backend.requests[-1].monitor_s == 2


async def test_a_crash_ends_the_wait_with_its_exit_code() -> None:
    """That the store starts the plugin again does not hide that it ended."""
    backend = FakeBackend()
    on = await started(controller(backend))
    wait = await waiting(on)

    await backend.crash(NAME, 137, at_ns=10)

    with pytest.raises(errdefs.Conflict, match="ended with exit code 137") as raised:
        await asyncio.wait_for(wait.task, 5)
    assert raised.value.detail == {"exit_code": 137}


async def test_a_crash_that_nobody_watched_is_seen() -> None:
    """The plugin ended and was started again between two waits of the task."""
    backend = FakeBackend()
    on = await started(controller(backend))
    await backend.crash(NAME, 1, at_ns=10)
    await backend.switch(NAME, enabled=True)

    wait = Waiting(on)

    await wait.ends_with("ended with exit code 1")


async def test_remove_of_what_is_gone_is_success() -> None:
    """Removed by somebody, or never installed: there is nothing to give up."""
    backend = FakeBackend()
    on = await started(controller(backend))
    await backend.remove(NAME, force=True)

    await on.remove(())
    await controller(backend).remove(())

    assert backend.done == ["pull", "enable", "remove", "abandon"]


async def test_remove_takes_what_a_cut_short_installation_left() -> None:
    """A task that never got to say that it was prepared calls off, and leaves nothing."""
    backend = FakeBackend()
    cut_short = controller(backend)
    await cut_short.prepare()

    await cut_short.remove(())

    assert backend.done == ["pull", "abandon", "remove"]
    assert not backend.plugins


async def test_remove_leaves_what_others_installed_meanwhile() -> None:
    """A plugin that is not the service's any more is not the service's to remove."""
    backend = FakeBackend()
    on = await started(controller(backend))
    plugin = backend.plugins[on.record.applied.plugin_id]  # type: ignore[union-attr] # it was applied
    await backend.put(plugin.model_copy(update={"swarm_service_id": ""}))

    await on.remove(())

    assert backend.plugins


def test_untagged_remote_means_latest() -> None:
    """A service's remote needs no tag, as everywhere else."""
    record: TaskRecord = task.begun(
        "t", "s", "n", "i", ServiceSpec(name="s", plugin=PluginSpec(remote="a/b")), 1
    )

    assert record.plugin_name == "a/b:latest"
