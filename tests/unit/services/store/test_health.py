"""Health of plugins: how they are asked, what is told of it, and what is done."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts import executor
from shared.contracts.executor import ContainerObserved, HealthCheck, HealthStatus
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import EnablePlugin, SupervisePlugin
from shared.contracts.supervision import Health, OnUnhealthy, Part, RestartPolicy, Supervision
from shared.oci.plugin_extension import HealthExtension, PluginExtension
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually
from tests.unit.services.store.test_supervisor import crash, running

CALL = Health(test=("CALL", "VolumeDriver.List"), interval_s=3, retries=2)
RESTARTING = CALL.model_copy(update={"on_unhealthy": OnUnhealthy.RESTART})


async def supervise(store: StoreUnderTest, **said: Any) -> None:
    """Set parts of the supervision of the plugin p."""
    command = SupervisePlugin(name="p", supervision=Supervision(**said))
    await store.supervision.supervise(command, delivery())


async def observe(store: StoreUnderTest, plugin: Plugin, **changes: Any) -> None:
    """Change what the executor sees of the plugin's container, and tell the store."""
    container_id = store.now(plugin).status.container_id or ""
    store.executor.change(container_id, **changes)
    seen = ContainerObserved(container_id=container_id, degraded=False, health=HealthStatus.NONE)
    await store.supervisor.container_observed(seen, delivery())


@pytest.mark.parametrize(
    ("test", "asked"),
    [
        (("CONNECT",), HealthCheck(unix_socket="p.sock")),
        (("CALL", "A.B"), HealthCheck(unix_socket="p.sock", call="A.B")),
        (("CMD", "/check", "-v"), HealthCheck(exec=("/check", "-v"))),
        (("NONE",), None),
    ],
)
async def test_author_s_health_check_goes_with_the_start(
    test: tuple[str, ...], asked: HealthCheck | None
) -> None:
    """Each form of test becomes what the executor does, on the plugin's own socket."""
    store = StoreUnderTest()
    plugin = await store.install(extension=PluginExtension(health=HealthExtension(test=test)))

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    (start,) = (sent for sent in store.executor.sent if isinstance(sent, executor.StartContainer))
    assert start.health == asked
    expected = HealthStatus.NONE if asked is None else HealthStatus.STARTING
    assert store.now(plugin).status.health is expected


async def test_check_that_an_operator_sets_holds_at_once() -> None:
    """A running plugin is asked the new way, and no more after a reset, without a restart."""
    store = StoreUnderTest()
    plugin = await running(store)

    await supervise(store, health=CALL)

    await eventually(lambda: store.now(plugin).status.health is HealthStatus.STARTING)
    (container,) = store.executor.containers.values()
    assert container.health_check == HealthCheck(
        unix_socket="p.sock", call="VolumeDriver.List", interval_s=3, retries=2
    )
    reset = SupervisePlugin(name="p", reset=(Part.HEALTH,))
    await store.supervision.supervise(reset, delivery())
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.NONE)
    assert store.records.actions() == ["enable", "update", "update"]
    await store.close()


async def test_order_to_check_that_got_lost_is_given_again() -> None:
    """A store that died after its commit has the container checked as wished when it is back."""
    store = StoreUnderTest()
    plugin = await running(store)
    changed = store.now(plugin).model_copy(update={"supervision": Supervision(health=CALL)})
    store.records.plugins[plugin.plugin_id] = changed

    again = await store.restarted()

    await eventually(lambda: again.now(plugin).status.health is HealthStatus.STARTING)
    await again.close()


async def test_verdicts_are_events_and_the_last_failure_is_kept() -> None:
    """A failure is shown as soon as there is one; only a change of verdict is an event."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, health=CALL)
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.STARTING)

    await observe(store, plugin, health=HealthStatus.HEALTHY)
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.HEALTHY)
    await observe(store, plugin, health_message="no answer")
    await eventually(lambda: store.now(plugin).status.health_message == "no answer")
    await observe(store, plugin, health=HealthStatus.UNHEALTHY)
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.UNHEALTHY)

    assert store.records.actions() == [
        "enable",
        "update",
        "health_status: healthy",
        "health_status: unhealthy",
    ]
    assert store.now(plugin).status.state is PluginState.RUNNING
    await store.close()


async def test_unhealthy_plugin_is_restarted_where_that_is_wished() -> None:
    """It is stopped, and its restart policy counts that as a failure, whatever its exit code."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, health=RESTARTING, restart_policy=RestartPolicy.parse("on-failure"))
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.STARTING)

    await observe(store, plugin, health=HealthStatus.UNHEALTHY, health_message="no answer")

    await eventually(lambda: store.records.actions()[-1] == "restart")
    assert store.records.actions()[-3:] == ["health_status: unhealthy", "die", "restart"]
    now = store.now(plugin)
    assert (now.status.health, now.status.health_message) == (HealthStatus.STARTING, "")
    assert now.status.container_id == f"{plugin.plugin_id[:12]}-2"
    assert len(store.executor.containers) == 1
    await store.close()


async def test_unhealthy_plugin_whose_policy_is_no_runs_on() -> None:
    """What would not be started again is not stopped either."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, health=RESTARTING, restart_policy=RestartPolicy.parse("no"))
    await eventually(lambda: store.now(plugin).status.health is HealthStatus.STARTING)

    await observe(store, plugin, health=HealthStatus.UNHEALTHY)
    await eventually(lambda: "health_status: unhealthy" in store.records.actions())
    await eventually(lambda: not store.lanes.is_busy(plugin.plugin_id))

    assert store.now(plugin).status.state is PluginState.RUNNING
    await store.close()


async def test_want_of_memory_is_an_event_once() -> None:
    """A child that the kernel killed is told, and told once, whatever happens after."""
    store = StoreUnderTest()
    plugin = await running(store)

    for _ in range(2):
        await observe(store, plugin, ran_out_of_memory=True)
    await eventually(lambda: store.now(plugin).status.ran_out_of_memory)
    await crash(store, plugin)

    await eventually(lambda: store.records.actions()[-1] == "restart")
    assert store.records.actions() == ["enable", "oom", "die", "restart"]
    assert not store.now(plugin).status.ran_out_of_memory
    await store.close()


async def test_death_for_want_of_memory_is_two_events() -> None:
    """As of Docker's containers: first oom, then die."""
    store = StoreUnderTest()
    plugin = await running(store)
    container_id = store.now(plugin).status.container_id or ""
    store.executor.end(container_id, 137)
    how = executor.Exit(exit_code=137, oom_killed=True, exited_at_ns=0, last_output=("taking all",))
    store.executor.change(container_id, exit=how)

    fact = executor.ContainerExited(container_id=container_id, exit=how)
    await store.supervisor.container_exited(fact, delivery())

    await eventually(lambda: store.records.actions()[-1] == "restart")
    assert store.records.actions() == ["enable", "oom", "die", "restart"]
    last = store.now(plugin).status.last_exit
    assert last is not None
    assert last.last_output == ("taking all",)
    await store.close()
