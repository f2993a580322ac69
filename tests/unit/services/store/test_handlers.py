"""Handlers of a capability: told of each start and each stop, waited for where they must be."""

from __future__ import annotations

import asyncio

import pytest

from shared import errdefs
from shared.contracts.capability import (
    CapabilityKey,
    Handler,
    ListRegistrations,
    Moment,
    RegisterHandler,
    UnregisterHandler,
)
from shared.contracts.plugin import PluginState
from shared.contracts.store import DisablePlugin, EnablePlugin, RemovePlugin, ShutDownNode
from shared.contracts.upgrade import UpgradeStrategy
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually
from tests.unit.services.store import test_handovers as upgrades

VOLUMES = CapabilityKey(capability="VolumeDriver")
TWO_TYPES = b"""{"interface": {"types": ["docker.second/1.0", "docker.first/1.0"],
 "socket": "p.sock"}, "entrypoint": ["/p"], "network": {"type": "host"}}"""


def registering(
    consumer: str = "event",
    *,
    key: CapabilityKey = VOLUMES,
    required: bool = False,
    hears_of_stops: bool = False,
    process: str = "event-1",
    ttl_s: int = 60,
) -> RegisterHandler:
    """Return the command that registers a handler."""
    handler = Handler(
        consumer=consumer, key=key, required=required, hears_of_stops=hears_of_stops, ttl_s=ttl_s
    )
    return RegisterHandler(handler=handler, process=process)


async def register(store: StoreUnderTest, command: RegisterHandler) -> None:
    """Register, and have what it is told at once be told."""
    await store.registering.handlers.register(command, delivery())


def told(store: StoreUnderTest) -> list[tuple[str, str, Moment, str | None]]:
    """Return whom the store told what, in order."""
    return [
        (consumer, call.interface, call.moment, call.plugin.status.container_id)
        for consumer, call in store.executor.calls
    ]


async def test_handler_is_told_of_an_enable_with_the_socket_folder() -> None:
    """A handler hears of an enabled plugin once, with all it takes to call it."""
    store = StoreUnderTest()
    plugin = await store.install()
    await register(store, registering())

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    await eventually(lambda: store.executor.calls)
    (consumer, call), *others = store.executor.calls
    assert (consumer, call.interface) == ("event", "docker.volumedriver/1.0")
    assert call.plugin == store.now(plugin)
    assert call.plugin.status.socket_dir
    assert not others


async def test_handler_is_told_of_each_restart() -> None:
    """A plugin that died and runs again is another start, in another container."""
    store = StoreUnderTest()
    plugin = await store.install()
    await store.start()
    await register(store, registering())
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await eventually(lambda: len(store.executor.calls) == 1)

    store.executor.end(f"{plugin.plugin_id[:12]}-1")
    store.supervisor.compare_soon()

    await eventually(lambda: len(store.executor.calls) == 2)
    assert [container for *_, container in told(store)] == [
        f"{plugin.plugin_id[:12]}-1",
        f"{plugin.plugin_id[:12]}-2",
    ]
    await store.close()


async def test_version_counts_in_what_a_handler_is_told_of() -> None:
    """A handler of version 2.0 hears nothing of a plugin that speaks 1.0, as in Docker."""
    store = StoreUnderTest()
    await store.install()
    newer = CapabilityKey(capability="volumedriver", version="2.0")
    await register(store, registering("newer", key=newer))
    await register(store, registering("event"))

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    await eventually(lambda: store.executor.calls)
    assert {consumer for consumer, *_ in told(store)} == {"event"}


async def test_types_are_told_in_the_plugin_s_order() -> None:
    """A consumer that handles two of a plugin's types hears of them in the config's order."""
    store = StoreUnderTest()
    await store.install(config_json=TWO_TYPES)
    for name in ("first", "second"):
        await register(store, registering(key=CapabilityKey(capability=name)))

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    await eventually(lambda: len(store.executor.calls) == 2)
    assert [interface for _, interface, *_ in told(store)] == [
        "docker.second/1.0",
        "docker.first/1.0",
    ]


async def test_handler_that_registers_late_is_told_of_what_runs() -> None:
    """A handler that comes after a plugin's start catches up."""
    store = StoreUnderTest()
    await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    await register(store, registering())

    await eventually(lambda: store.executor.calls)


async def test_handler_that_was_away_is_told_later() -> None:
    """A handler that does not answer does not hold up an enable, and is told when it is back."""
    store = StoreUnderTest()
    plugin = await store.install()
    await register(store, registering())
    store.executor.handler_refusals["event"] = errdefs.DeadlineExceeded("no answer")
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    assert store.now(plugin).status.state is PluginState.RUNNING

    del store.executor.handler_refusals["event"]

    await eventually(lambda: store.executor.calls)
    await store.close()


async def test_renewal_tells_nothing_again_and_writes_nothing() -> None:
    """A handler that registers again in the same process is only renewed."""
    store = StoreUnderTest()
    await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await register(store, registering())
    await eventually(lambda: store.fake_registrations.writes == 2)

    await register(store, registering())
    await asyncio.sleep(0)

    assert len(store.executor.calls) == 1
    assert store.fake_registrations.writes == 2


async def test_another_process_is_told_again_of_what_runs() -> None:
    """A service that was started anew remembers nothing, so it hears of all that run."""
    store = StoreUnderTest()
    await store.install()
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await register(store, registering())
    await eventually(lambda: len(store.executor.calls) == 1)

    await register(store, registering(process="event-2"))

    await eventually(lambda: len(store.executor.calls) == 2)


async def test_acknowledgements_outlive_the_store() -> None:
    """A store that was killed tells nobody twice of a start that was acknowledged."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering())
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await eventually(lambda: store.fake_registrations.writes == 2)

    again = await store.restarted()
    await register(again, registering())
    await again.lifecycle.disable(DisablePlugin(name="p"), delivery())
    await again.lifecycle.enable(EnablePlugin(name="p"), delivery())

    await eventually(lambda: len(again.executor.calls) == 2)
    assert [container[-2:] for *_, container in told(again) if container] == ["-1", "-2"]
    await again.close()


async def test_required_handler_is_told_before_the_plugin_is_shown_enabled() -> None:
    """An enable waits for a required handler, which hears of the plugin once."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering(required=True))

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert len(store.executor.calls) == 1
    assert store.executor.calls[0][1].plugin.status.socket_dir
    assert store.records.actions() == ["enable"]


async def test_enable_fails_with_a_required_handler_that_does_not_answer() -> None:
    """The error names the handler, and the plugin is stopped again and stays disabled."""
    store = StoreUnderTest()
    plugin = await store.install()
    await register(store, registering(required=True))
    store.executor.handler_refusals["event"] = errdefs.DeadlineExceeded("no answer")

    with pytest.raises(errdefs.DeadlineExceeded, match=r"service event, which handles docker\."):
        await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    now = store.now(plugin)
    assert (now.enabled, now.status.state) == (False, PluginState.STOPPED)
    assert not store.executor.containers


async def test_required_handler_s_refusal_is_told() -> None:
    """What a required handler says against a plugin is what the enable fails with."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering(required=True))
    store.executor.handler_refusals["event"] = errdefs.InvalidArgument("speaks no metrics")

    with pytest.raises(errdefs.InvalidArgument, match="refused it: speaks no metrics"):
        await store.lifecycle.enable(EnablePlugin(name="p"), delivery())


async def test_handler_that_is_not_renewed_in_time_is_waited_for_no_more() -> None:
    """A service that went away for good blocks no enable for longer than its lease."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering(required=True, ttl_s=60))
    store.executor.handler_refusals["event"] = errdefs.DeadlineExceeded("no answer")
    store.fake_clock.advance(61)

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert not store.executor.calls


async def test_handler_has_its_whole_time_after_the_store_s_own_start() -> None:
    """A registration that the store kept holds until its owner could renew it."""
    store = StoreUnderTest()
    await register(store, registering(ttl_s=60))
    again = await store.restarted()
    again.fake_clock.advance(59)

    listed = await again.registering.list(ListRegistrations(), delivery())
    assert [handler.consumer for handler in listed.handlers] == ["event"]

    again.fake_clock.advance(2)
    listed = await again.registering.list(ListRegistrations(), delivery())
    assert not listed.handlers
    await again.close()


@pytest.mark.parametrize("how", ["disable", "remove", "shut down"])
async def test_handler_is_told_before_a_stop(how: str) -> None:
    """While the plugin still answers, its handler hears that it will be stopped."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering(hears_of_stops=True))
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await eventually(lambda: store.fake_registrations.writes == 2)

    match how:
        case "disable":
            await store.lifecycle.disable(DisablePlugin(name="p"), delivery())
        case "remove":
            await store.removal.remove(RemovePlugin(name="p", force=True), delivery())
        case _:
            await store.node.shut_down(ShutDownNode(), delivery())

    assert [moment for _, _, moment, _ in told(store)] == [Moment.STARTED, Moment.STOPPING]
    sent = [type(command).__name__ for command in store.executor.sent]
    assert sent.index("DiscardContainer") > max(
        index for index, name in enumerate(sent) if name == "CallHandler"
    )


async def test_handler_that_fails_before_a_stop_keeps_nothing_from_stopping() -> None:
    """A disable succeeds whatever a handler answers."""
    store = StoreUnderTest()
    plugin = await store.install()
    await register(store, registering(hears_of_stops=True))
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())
    await eventually(lambda: store.fake_registrations.writes == 2)
    store.executor.handler_refusals["event"] = errdefs.Internal("cannot")

    await store.lifecycle.disable(DisablePlugin(name="p"), delivery())

    assert store.now(plugin).status.state is PluginState.STOPPED


async def test_handler_that_was_never_told_of_a_start_hears_of_no_stop() -> None:
    """A disabled plugin that is removed is no stop."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering(hears_of_stops=True))

    await store.removal.remove(RemovePlugin(name="p"), delivery())

    assert not store.executor.calls


async def test_unregistered_handler_is_told_nothing() -> None:
    """Who gives up a registration hears no more; a repeat is fine."""
    store = StoreUnderTest()
    await store.install()
    await register(store, registering())
    for _ in range(2):
        await store.registering.handlers.unregister(
            UnregisterHandler(consumer="event", key=VOLUMES), delivery()
        )

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert not store.executor.calls
    assert not store.fake_registrations.handlers


@upgrades.BOTH
@pytest.mark.parametrize("required", [True, False])
async def test_upgrade_tells_of_the_new_version_and_of_the_old_one_s_end(
    strategy: UpgradeStrategy, *, required: bool
) -> None:
    """The new version is a start as any other, and the old one is stopped as any other."""
    store = StoreUnderTest()
    await register(store, registering(required=required, hears_of_stops=True))
    plugin = await upgrades.running(store)
    await eventually(lambda: store.executor.calls)
    await upgrades.begin(store, strategy, monitor_s=0, drain_s=0)

    await upgrades.hand_over(store)

    await eventually(lambda: upgrades.is_over(store) and len(store.executor.calls) == 3)
    number = {1: "old", 2: "new"}
    heard = [(m, number[int((c or "").rpartition("-")[2])]) for _, _, m, c in told(store)]
    started, stopping = (Moment.STARTED, "new"), (Moment.STOPPING, "old")
    assert heard[0] == (Moment.STARTED, "old")
    if strategy is UpgradeStrategy.STOP_FIRST:
        assert heard[1:] == [stopping, started]
    else:
        assert sorted(heard[1:]) == sorted([started, stopping])
    assert store.now(plugin).status.state is PluginState.RUNNING
    await store.close()


@upgrades.BOTH
async def test_new_version_that_a_required_handler_refuses_is_rolled_back(
    strategy: UpgradeStrategy,
) -> None:
    """The old version runs on, or again, and its handler knows of it last."""
    store = StoreUnderTest()
    await register(store, registering(required=True, hears_of_stops=True))
    plugin = await upgrades.running(store)
    await upgrades.begin(store, strategy, monitor_s=0, drain_s=0)
    store.executor.handler_refusals["event"] = errdefs.InvalidArgument("speaks another version")

    await upgrades.hand_over(store)
    await eventually(lambda: "j" in store.queue.failed)
    del store.executor.handler_refusals["event"]

    assert "speaks another version" in store.queue.failed["j"].message
    now = store.now(plugin)
    assert (now.config, now.status.state) == (plugin.config, PluginState.RUNNING)
    await eventually(lambda: told(store)[-1][2:] == (Moment.STARTED, now.status.container_id))
    await store.close()
