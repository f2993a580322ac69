"""What happens to plugins, as typed events: none is dropped, and gaps are marked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from shared.bus.tail import Gap, Tailed
from shared.contracts.capability import interfaces
from shared.contracts.plugin import Plugin
from shared.contracts.store import PluginChanged
from shared.oci.plugin_config import PluginInterfaceType


class Tailing(Protocol):
    """Reads the facts of an owner; RedisBus does."""

    def tail(self, owner: str, *, after: str = "0-0") -> AsyncGenerator[Tailed, None]:
        """Yield facts from a cursor on, for ever, with a Gap where some may be missing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a subscription goes on: behind a revision of an epoch."""

    epoch: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    plugin_id: str
    #: The record after the event; None once the plugin is removed.
    plugin: Plugin | None
    position: Position


class EventCreate(_Event):
    """A plugin was created or pulled."""


class EventEnable(_Event):
    """A plugin was enabled: it runs and is ready."""


class EventDisable(_Event):
    """A plugin was disabled: it no longer runs."""


class EventRemove(_Event):
    """A plugin was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Events may have been missed here: look at what is, then read on."""

    reason: str


PluginEvent = EventCreate | EventEnable | EventDisable | EventRemove


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Lets events of one kind through; several watches let through what any of them does."""

    kind: type[PluginEvent]
    #: Capabilities without prefix and version; creations of plugins with one of them pass.
    interfaces: frozenset[str] = frozenset()
    #: The plugin's full id; empty: any.
    plugin_id: str = ""

    def matches(self, event: PluginEvent) -> bool:
        """Tell whether an event passes."""
        if not isinstance(event, self.kind) or self.plugin_id not in ("", event.plugin_id):
            return False
        return not self.interfaces or not self.interfaces.isdisjoint(_capabilities(event.plugin))


@asynccontextmanager
async def subscribe(
    bus: Tailing, *watches: Watch, after: Position | None = None
) -> AsyncIterator[AsyncGenerator[PluginEvent | Missed, None]]:
    """Give the events that any of *watches* lets through; without a watch, all of them.

    From the beginning of the block on, or from behind a position that an event had. Nobody is
    waited for: who reads slowly finds the events kept, as long as the store's stream is. The end
    of the block leaves nothing behind.
    """
    cursor = f"{after.revision}-0" if after else "$"
    async with aclosing(bus.tail("store", after=cursor)) as items:
        if after is None:
            await anext(items)  # a gap: whatever comes from now on is read
        async with aclosing(_events(items, watches, after.epoch if after else "")) as events:
            yield events


async def _events(
    items: AsyncGenerator[Tailed, None], watches: Sequence[Watch], epoch: str
) -> AsyncGenerator[PluginEvent | Missed, None]:
    async for item in items:
        if isinstance(item, Gap):
            epoch = ""
            yield Missed(reason=item.reason)
            continue
        try:
            change = item[0].read(PluginChanged)
        except ValidationError:
            yield Missed(reason="an entry cannot be read")
            continue
        if epoch not in ("", change.epoch):
            yield Missed(reason="the store has another database")
        epoch = change.epoch
        for event in events_of(change):
            if not watches or any(watch.matches(event) for watch in watches):
                yield event


def events_of(change: PluginChanged) -> list[PluginEvent]:
    """Return the events that a change of the store is."""
    kinds: list[type[PluginEvent]] = [EventCreate] if change.created else []
    if change.plugin is None:
        kinds.append(EventRemove)
    actions = {fact.action for fact in change.facts}
    kinds += [EventEnable] if "enable" in actions else []
    kinds += [EventDisable] if "disable" in actions else []
    position = Position(epoch=change.epoch, revision=change.revision)
    return [
        kind(plugin_id=change.plugin_id, plugin=change.plugin, position=position) for kind in kinds
    ]


def _capabilities(plugin: Plugin | None) -> set[str]:
    types = interfaces(plugin) if plugin else ()
    return {PluginInterfaceType.parse(text).capability for text in types}
