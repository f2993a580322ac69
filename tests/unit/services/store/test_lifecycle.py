"""Enable and disable, and what a crash in the middle of them leaves."""

from __future__ import annotations

import asyncio
import errno

import pytest

from shared import errdefs
from shared.contracts import executor
from shared.contracts.plugin import PluginState
from shared.contracts.store import DisablePlugin, EnablePlugin, RemovePlugin
from tests.support.executor import FakeExecutor
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually


async def test_enabled_plugin_runs_in_a_container_of_its_own() -> None:
    """Enable starts the plugin's first container and commits wish, observation and event."""
    store = StoreUnderTest()
    plugin = await store.install()

    changed = await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    now = store.now(plugin)
    assert now.enabled
    assert now.status.state is PluginState.RUNNING
    assert now.status.container_id == f"{plugin.plugin_id[:12]}-1"
    assert changed.changes[-1].plugin == now
    assert store.records.actions() == ["enable"]
    assert not store.records.operations


async def test_every_start_is_a_new_container() -> None:
    """A plugin that was disabled starts in a container with the next number."""
    store = StoreUnderTest()
    plugin = await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert list(store.executor.containers) == [f"{plugin.plugin_id[:12]}-2"]


async def test_five_enables_at_once_have_one_winner() -> None:
    """One of several enables of a plugin succeeds, the others are told that it is enabled."""
    store = StoreUnderTest()
    await store.install()

    results = await asyncio.gather(
        *(store.lifecycle.enable(EnablePlugin(name="p"), delivery()) for _ in range(5)),
        return_exceptions=True,
    )

    lost = [result for result in results if isinstance(result, errdefs.Conflict)]
    assert len(lost) == 4
    assert {error.message for error in lost} == {
        "plugin already enabled: plugin p:latest is enabled"
    }
    assert len(store.executor.containers) == 1


async def test_plugin_that_does_not_start_stays_disabled() -> None:
    """A failed enable tells the executor's error, and leaves no container and no operation."""
    store = StoreUnderTest()
    plugin = await store.install()
    store.executor.refusals[executor.StartContainer] = errdefs.Internal("dial unix: no such file")

    with pytest.raises(errdefs.Internal, match="dial unix"):
        await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    now = store.now(plugin)
    assert not now.enabled
    assert now.status.state is PluginState.STOPPED
    assert "dial unix" in now.status.message
    assert not store.executor.containers
    assert not store.records.operations


async def test_disable_of_a_disabled_plugin_says_so() -> None:
    """Disable answers in dockerd's words when the plugin is not enabled."""
    store = StoreUnderTest()
    await store.install()

    with pytest.raises(errdefs.Conflict) as refused:
        await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    assert refused.value.message == "plugin is already disabled: plugin p:latest found but disabled"


async def test_redelivered_command_gets_the_first_reply() -> None:
    """An enable that arrives twice is carried out once."""
    store = StoreUnderTest()
    await store.install()
    enable = store.gate.guard(store.lifecycle.enable)

    first = await enable(EnablePlugin(name="p"), delivery("m"))
    second = await enable(EnablePlugin(name="p"), delivery("m"))

    assert second == first
    assert store.records.actions() == ["enable"]


async def test_killed_in_the_middle_of_enable_rolls_back() -> None:
    """A store that died while a plugin started clears the container away and can start it anew."""
    first = StoreUnderTest()
    plugin = await first.install()
    first.executor.may_start.clear()
    enabling = asyncio.create_task(first.lifecycle.enable(EnablePlugin(name="p"), delivery()))
    await eventually(lambda: bool(first.executor.sent))
    records = first.records
    frozen = dict(records.plugins), dict(records.operations)
    enabling.cancel()
    await asyncio.wait([enabling])
    records.plugins, records.operations = frozen

    again = await StoreUnderTest(records, FakeExecutor()).restarted()
    await again.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert again.now(plugin).status.container_id == f"{plugin.plugin_id[:12]}-2"
    assert not records.operations
    await again.close()


async def test_killed_in_the_middle_of_disable_rolls_forward() -> None:
    """A disable that a crash cut short is finished, and its redelivery gets the reply."""
    first = StoreUnderTest()
    plugin = await first.install()
    await first.lifecycle.enable(EnablePlugin(name="p"), delivery())
    first.executor.refusals[executor.DiscardContainer] = errdefs.Unavailable("gone")
    with pytest.raises(errdefs.Unavailable):
        await first.lifecycle.disable(DisablePlugin(name="p"), delivery("m"))
    await first.close()
    first.executor.refusals.clear()

    again = await first.restarted()
    await eventually(lambda: not again.now(plugin).enabled)
    reply = await again.gate.guard(again.lifecycle.disable)(DisablePlugin(name="p"), delivery("m"))

    assert reply == again.records.inbox["m"]
    assert again.records.actions() == ["enable", "disable"]
    assert not again.executor.containers
    await again.close()


async def test_redelivery_during_recovery_gets_the_reply() -> None:
    """A verb redelivered while its first try is still being finished is not told a conflict."""
    first = StoreUnderTest()
    plugin = await first.install()
    await first.lifecycle.enable(EnablePlugin(name="p"), delivery())
    first.executor.refusals[executor.DiscardContainer] = errdefs.Unavailable("gone")
    with pytest.raises(errdefs.Unavailable):
        await first.lifecycle.disable(DisablePlugin(name="p"), delivery("m"))
    await first.close()
    first.executor.refusals.clear()

    again = await first.restarted()
    assert again.now(plugin).enabled
    reply = await again.gate.guard(again.lifecycle.disable)(DisablePlugin(name="p"), delivery("m"))

    assert reply == again.records.inbox["m"]
    assert again.records.actions() == ["enable", "disable"]
    await again.close()


async def test_disable_that_the_executor_does_not_answer_is_finished_later() -> None:
    """The client hears the error; the plugin is stopped as soon as the executor answers again."""
    store = StoreUnderTest()
    plugin = await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    store.executor.refusals[executor.DiscardContainer] = errdefs.Unavailable("gone")
    with pytest.raises(errdefs.Unavailable):
        await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    store.executor.refusals.clear()

    await eventually(lambda: not store.now(plugin).enabled)
    assert not store.records.operations
    await store.close()


@pytest.mark.parametrize(
    "refusal", [errdefs.Unavailable("EIO"), OSError(errno.EPERM, "no")], ids=["named", "another"]
)
async def test_remove_that_the_disk_refuses_is_finished_later(refusal: Exception) -> None:
    """The client hears the error; the plugin goes as soon as its files can be moved aside."""
    store = StoreUnderTest()
    await store.install()
    store.fake_folders.move_refusal = refusal
    with pytest.raises(type(refusal)):
        await store.removal.remove(RemovePlugin(name="p"), delivery())
    await eventually(lambda: store.fake_folders.moves_refused >= 3)

    store.fake_folders.move_refusal = None

    await eventually(lambda: store.inventory.all() == ())
    assert not store.records.operations
    assert store.records.actions() == ["remove"]
    await store.close()
