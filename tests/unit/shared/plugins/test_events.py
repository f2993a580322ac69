"""Typed events of plugins, from the store's changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from shared.bus.envelope import Envelope
from shared.bus.tail import Gap, Tailed
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact, PluginChanged
from shared.plugins.events import (
    EventCreate,
    EventDisable,
    EventEnable,
    EventRemove,
    Missed,
    PluginEvent,
    Position,
    Watch,
    subscribe,
)
from tests.support.bus import delivery

ONE, OTHER = "1" * 64, "2" * 64
START = Gap(reason="start", after="0-0")


def plugin(plugin_id: str = ONE, interface: str = "docker.volumedriver/1.0") -> Plugin:
    """Return a plugin's record."""
    return Plugin(
        plugin_id=plugin_id,
        name="p:latest",
        reference="p:latest",
        enabled=False,
        config={"Interface": {"Types": [interface]}},
        settings={},
        config_digest="",
        manifest_digest="",
        created_at_ns=0,
    )


def changed(
    action: str,
    record: Plugin | None,
    *,
    revision: int = 1,
    epoch: str = "e",
    created: bool = False,
) -> Tailed:
    """Return the store's change of a plugin, as it arrives."""
    change = PluginChanged(
        epoch=epoch,
        revision=revision,
        plugin_id=record.plugin_id if record else ONE,
        plugin=record,
        facts=(Fact(action=action, actor_id=ONE, time_ns=0),),
        created=created,
    )
    envelope = Envelope(
        message_id="m",
        message_type=change.TYPE,
        node="n",
        source="store-1",
        body=change.model_dump_json().encode(),
    )
    return envelope, delivery()


LIFE = (
    changed("create", plugin(), created=True),
    changed("enable", plugin(), revision=2),
    changed("die", plugin(), revision=3),
    changed("disable", plugin(), revision=4),
    changed("pull", plugin(), revision=5),  # an upgrade creates nothing
    changed("remove", None, revision=6),
)


class FakeBus:
    """Tails what it was given, then ends."""

    def __init__(self, *items: Tailed) -> None:
        self.items = items
        self.after = ""
        self.is_closed = False

    async def tail(self, owner: str, *, after: str = "0-0") -> AsyncGenerator[Tailed, None]:
        """Yield the items."""
        assert owner == "store"
        self.after = after
        try:
            for item in self.items:
                yield item
        finally:
            self.is_closed = True


async def heard(bus: FakeBus, *watches: Watch, after: Position | None = None) -> list[object]:
    """Return all events of a subscription."""
    async with subscribe(bus, *watches, after=after) as events:
        return [event async for event in events]


def kinds(events: list[object]) -> list[type[object]]:
    """Return what kinds of events they are."""
    return [type(event) for event in events]


async def test_without_a_watch_everything_is_heard_in_order() -> None:
    """A creation, an enable, a disable and a removal; neither deaths nor upgrades."""
    events = await heard(FakeBus(START, *LIFE))

    assert kinds(events) == [EventCreate, EventEnable, EventDisable, EventRemove]


async def test_pull_of_a_new_plugin_is_a_creation() -> None:
    """It makes no difference whether a plugin was created here or pulled."""
    events = await heard(FakeBus(START, changed("pull", plugin(), created=True)))

    assert kinds(events) == [EventCreate]


@pytest.mark.parametrize(
    ("interfaces", "is_heard"),
    [((), True), (("volumedriver", "logdriver"), True), (("logdriver",), False)],
)
async def test_creations_are_chosen_by_capability(
    interfaces: tuple[str, ...], is_heard: bool
) -> None:
    """Any of the capabilities is enough, none named is all; prefix and version don't count."""
    watch = Watch(kind=EventCreate, interfaces=frozenset(interfaces))

    assert bool(await heard(FakeBus(START, *LIFE), watch)) == is_heard


@pytest.mark.parametrize("kind", [EventEnable, EventDisable, EventRemove])
async def test_others_are_chosen_by_plugin(kind: type[PluginEvent]) -> None:
    """A watch of one plugin hears nothing of another."""
    life = (START, *LIFE, changed("enable", plugin(OTHER)), changed("disable", plugin(OTHER)))

    assert kinds(await heard(FakeBus(*life), Watch(kind=kind, plugin_id=ONE))) == [kind]
    assert not await heard(FakeBus(START, *LIFE), Watch(kind=kind, plugin_id=OTHER))


async def test_several_watches_add_up() -> None:
    """What any of the watches lets through is heard."""
    watches = (Watch(kind=EventCreate), Watch(kind=EventRemove, plugin_id=ONE))

    assert kinds(await heard(FakeBus(START, *LIFE), *watches)) == [EventCreate, EventRemove]


async def test_gap_is_told_whatever_is_watched() -> None:
    """Who may have missed something hears so, and then what came after."""
    gap = Gap(reason="the stream was trimmed", after="9-0")

    events = await heard(FakeBus(START, gap, *LIFE), Watch(kind=EventRemove))

    assert events[0] == Missed(reason="the stream was trimmed")
    assert kinds(events[1:]) == [EventRemove]


async def test_subscription_goes_on_behind_a_position() -> None:
    """It reads from the revision on; a store that has another database is a gap."""
    bus = FakeBus(*LIFE[3:])
    events = await heard(bus, after=Position(epoch="e", revision=3))
    assert (bus.after, kinds(events)) == ("3-0", [EventDisable, EventRemove])

    events = await heard(FakeBus(*LIFE[3:]), after=Position(epoch="older", revision=3))
    assert kinds(events) == [Missed, EventDisable, EventRemove]


async def test_event_says_where_to_go_on() -> None:
    """Each event carries its plugin and its position."""
    events = await heard(FakeBus(START, *LIFE), Watch(kind=EventEnable))

    position = Position(epoch="e", revision=2)
    assert events == [EventEnable(plugin_id=ONE, plugin=plugin(), position=position)]


async def test_end_of_the_block_leaves_nothing() -> None:
    """The stream is closed as soon as the block ends, read to its end or not."""
    bus = FakeBus(START, *LIFE)
    async with subscribe(bus) as events:
        await anext(events)
        assert not bus.is_closed

    assert bus.is_closed
