"""Restart policies: who is started again, who is left, and how that is undone."""

from __future__ import annotations

import pytest

from services.store.domain.restart import Backoff
from shared import errdefs
from shared.contracts import executor
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import DisablePlugin, EnablePlugin, ShutDownNode, SupervisePlugin
from shared.contracts.supervision import Health, Part, RestartPolicy, Supervision
from shared.oci.plugin_extension import PluginExtension
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually
from tests.unit.services.store.test_supervisor import crash, running

ALWAYS, NO, ON_FAILURE = (RestartPolicy.parse(text) for text in ("always", "no", "on-failure"))


async def supervise(store: StoreUnderTest, policy: RestartPolicy) -> None:
    """Set the restart policy of the plugin p."""
    said = Supervision(restart_policy=policy)
    await store.supervision.supervise(SupervisePlugin(name="p", supervision=said), delivery())


async def left(store: StoreUnderTest, plugin: Plugin) -> str:
    """Wait until the plugin is left by its policy; return what is said of it."""
    await eventually(lambda: store.now(plugin).status.state is PluginState.EXITED)
    return store.now(plugin).status.message


@pytest.mark.parametrize(
    ("policy", "exit_code", "why"),
    [
        (NO, 0, "exited with code 0; its restart policy is no: "),
        (NO, 1, "exited with code 1; its restart policy is no: "),
        (NO, None, "ended; exit code unknown; its restart policy is no: "),
        (ON_FAILURE, 0, "exited with code 0; its restart policy is on-failure, and this was no"),
    ],
)
async def test_plugin_that_its_policy_leaves_stays_enabled_and_says_why(
    policy: RestartPolicy, exit_code: int | None, why: str
) -> None:
    """It is not started again; its wish stays, its state and an event tell."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, policy)

    await crash(store, plugin, exit_code)

    assert (await left(store, plugin)).startswith(why)
    assert store.now(plugin).enabled
    assert store.now(plugin).status.restart_at_ns is None
    assert store.records.actions() == ["enable", "update", "die", "not_restarted"]
    await eventually(lambda: not store.executor.containers)
    await store.close()


async def test_plugin_that_failed_is_started_again_on_failure() -> None:
    """Any exit code but 0 is a failure."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, ON_FAILURE)

    await crash(store, plugin, 3)

    await eventually(lambda: store.records.actions()[-1] == "restart")
    await store.close()


async def test_on_failure_with_a_count_gives_up_behind_it() -> None:
    """Two retries are two restarts: the third short run is the last."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.0))
    plugin = await running(store)
    await supervise(store, RestartPolicy.parse("on-failure:2"))

    await crash(store, plugin)
    await eventually(lambda: store.records.actions().count("restart") == 1)
    await crash(store, plugin)
    await eventually(lambda: store.records.actions().count("restart") == 2)
    await crash(store, plugin)

    assert "it failed 3 times in a row" in await left(store, plugin)
    assert store.records.actions().count("restart") == 2
    await store.close()


async def test_starts_that_fail_count_as_failures() -> None:
    """A plugin that can't start is given up behind its count, too."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.0))
    plugin = await running(store)
    await supervise(store, RestartPolicy.parse("on-failure:2"))
    store.executor.refusals[executor.StartContainer] = errdefs.InvalidArgument("no such program")

    await crash(store, plugin)

    assert (await left(store, plugin)).startswith("no such program; it failed 3 times in a row")
    assert store.records.actions().count("start_failed") == 2
    await store.close()


async def test_executor_that_does_not_answer_is_no_fault_of_the_plugin() -> None:
    """What is away comes back: it costs the plugin none of its retries."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.0))
    plugin = await running(store)
    await supervise(store, RestartPolicy.parse("on-failure:1"))
    store.executor.refusals[executor.StartContainer] = errdefs.Unavailable("gone")
    await crash(store, plugin)
    await eventually(lambda: store.records.actions().count("start_failed") > 3)

    store.executor.refusals.clear()

    await eventually(lambda: store.now(plugin).status.state is PluginState.RUNNING)
    await store.close()


async def test_enable_starts_a_plugin_that_its_policy_left() -> None:
    """Who enables it wants it running: it counts anew, and one that runs is still refused."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, NO)
    await crash(store, plugin)
    await left(store, plugin)

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert store.now(plugin).status.state is PluginState.RUNNING
    assert store.now(plugin).status.restarts == 0
    with pytest.raises(errdefs.Conflict, match="plugin already enabled"):
        await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await store.close()


async def test_enable_that_fails_leaves_it_as_its_policy_did() -> None:
    """The wish stays, nothing is tried again behind the user's back, and the error is kept."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, NO)
    await crash(store, plugin)
    await left(store, plugin)
    store.executor.refusals[executor.StartContainer] = errdefs.InvalidArgument("no such program")

    with pytest.raises(errdefs.InvalidArgument):
        await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    again = await store.restarted()

    now = again.now(plugin)
    assert (now.enabled, now.status.state) == (True, PluginState.EXITED)
    assert now.status.message.startswith("no such program: ")
    await again.close()


async def test_left_plugin_can_be_disabled() -> None:
    """Disable takes the wish back, as of any enabled plugin."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, NO)
    await crash(store, plugin)
    await left(store, plugin)

    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    now = store.now(plugin)
    assert (now.enabled, now.status.state) == (False, PluginState.STOPPED)
    await store.close()


async def test_policy_that_restarts_starts_a_plugin_that_was_left() -> None:
    """A new policy holds at once, for what has ended as well."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, NO)
    await crash(store, plugin)
    await left(store, plugin)

    await supervise(store, ALWAYS)

    await eventually(lambda: store.now(plugin).status.state is PluginState.RUNNING)
    await store.close()


async def test_plugin_that_was_left_is_not_started_by_another_health_check() -> None:
    """Only a change of its restart policy counts for it."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, ON_FAILURE)
    await crash(store, plugin, 0)
    await left(store, plugin)

    said = Supervision(health=Health(test=("CONNECT",)))
    for command in (
        SupervisePlugin(name="p", supervision=said),
        SupervisePlugin(name="p", supervision=Supervision(restart_policy=ON_FAILURE)),
    ):
        await store.supervision.supervise(command, delivery())
    await eventually(lambda: not store.lanes.is_busy(plugin.plugin_id))

    assert store.now(plugin).status.state is PluginState.EXITED
    await store.close()


async def test_policy_no_calls_off_a_restart_that_waits() -> None:
    """A plugin in a crash loop stops there."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=60))
    plugin = await running(store)
    store.executor.refusals[executor.StartContainer] = errdefs.Internal("no")
    await crash(store, plugin)
    await eventually(lambda: "start_failed" in store.records.actions())

    await supervise(store, NO)

    assert await left(store, plugin) == (
        "no; its restart policy is no: `docker plugin enable` starts it, and so does another "
        "restart policy"
    )
    assert store.records.actions()[-2:] == ["update", "not_restarted"]
    await store.close()


async def test_new_start_of_the_node_starts_it_but_a_new_start_of_the_store_does_not() -> None:
    """A store that comes back leaves it; after a shutdown all that is wished is started."""
    store = StoreUnderTest()
    plugin = await running(store)
    await supervise(store, NO)
    await crash(store, plugin)
    await left(store, plugin)

    second = await store.restarted()
    await eventually(lambda: not second.lanes.is_busy(plugin.plugin_id))
    assert second.now(plugin).status.state is PluginState.EXITED
    await second.node.shut_down(ShutDownNode(), delivery())
    third = await second.restarted()

    await eventually(lambda: third.now(plugin).status.state is PluginState.RUNNING)
    await third.close()


async def test_author_s_policy_holds_until_an_operator_sets_another() -> None:
    """What is declared in config.json counts, until it is overruled, and again after a reset."""
    store = StoreUnderTest()
    plugin = await store.install(extension=PluginExtension(restart="no"))
    assert store.now(plugin).supervised.restart_policy == NO

    await supervise(store, ALWAYS)
    assert store.now(plugin).supervised.restart_policy == ALWAYS

    reset = SupervisePlugin(name="p", reset=(Part.RESTART_POLICY,))
    await store.supervision.supervise(reset, delivery())
    assert store.now(plugin).supervised.restart_policy == NO
