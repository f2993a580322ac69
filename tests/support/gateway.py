"""Plugins, changes and stand-ins that tests of the gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from services.gateway.ports import Lost
from shared.contracts.event import FeedEvent, FeedPage, ReadFeed
from shared.contracts.message import Message
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed, Inventory, PluginChanged

EPOCH = "epoch-1"


def plugin_id(letter: str) -> str:
    """Return a full id that is one hex digit, repeated."""
    return letter * 64


def plugin(letter: str = "a", *, name: str = "", enabled: bool = False, **more: Any) -> Plugin:
    """Return a plugin whose id repeats *letter*."""
    name = name or f"{letter}/plugin:latest"
    return Plugin(
        **{
            "plugin_id": plugin_id(letter),
            "name": name,
            "reference": name,
            "enabled": enabled,
            "config": {"Interface": {"Types": ["docker.volumedriver/1.0"]}},
            "settings": {"Env": []},
            "config_digest": "sha256:c",
            "manifest_digest": "sha256:m",
            "created_at_ns": 1,
            **more,
        }
    )


def changed(
    revision: int, one: Plugin | None, *, letter: str = "a", epoch: str = EPOCH
) -> PluginChanged:
    """Return a change of a plugin; None removes the one of *letter*."""
    return PluginChanged(
        epoch=epoch,
        revision=revision,
        plugin_id=one.plugin_id if one else plugin_id(letter),
        plugin=one,
    )


def snapshot(revision: int, *plugins: Plugin, epoch: str = EPOCH) -> Inventory:
    """Return a snapshot."""
    return Inventory(epoch=epoch, revision=revision, plugins=plugins)


def reply(*changes: PluginChanged, revision: int = 0, epoch: str = EPOCH) -> Changed:
    """Return the reply of a verb that made *changes*."""
    revision = revision or changes[-1].revision
    return Changed(epoch=epoch, revision=revision, changes=changes)


def event(seq: int, **more: Any) -> FeedEvent:
    """Return an event of a plugin, one second apart from its neighbours."""
    return FeedEvent(
        **{
            "seq": seq,
            "type": "plugin",
            "action": "enable",
            "actor_id": plugin_id("a"),
            "attributes": {"name": "a/plugin:latest"},
            "time_ns": seq * 10**9,
            "epoch": EPOCH,
            "revision": seq,
            **more,
        }
    )


class FakeChanges:
    """A ports.Changes that yields what the test puts in."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message | Lost] = asyncio.Queue()

    def put(self, message: Message | Lost) -> None:
        """Have it yielded."""
        self._queue.put_nowait(message)

    async def tail(self) -> AsyncIterator[Message | Lost]:
        """Yield for ever."""
        while True:
            yield await self._queue.get()


class FakeFeed:
    """The event service's side of ReadFeed: pages of what the test appended."""

    def __init__(self) -> None:
        self.events: list[FeedEvent] = []
        #: Events that are no longer kept.
        self.trimmed = 0
        self.page_length = 1000
        self.error: Exception | None = None
        self.queries: list[ReadFeed] = []

    def append(self, *events: FeedEvent) -> None:
        """Keep events."""
        self.events.extend(events)

    def answer(self, query: ReadFeed) -> FeedPage | Exception:
        """Answer as the event service does."""
        self.queries.append(query)
        if self.error is not None:
            return self.error
        kept = [e for e in self.events if e.seq > self.trimmed]
        last_seq = self.events[-1].seq if self.events else 0
        fitting = [e for e in kept if e.seq > query.after_seq and _fits(query, e)]
        page = tuple(fitting[: self.page_length])
        more = len(fitting) > len(page)
        return FeedPage(
            events=page,
            last_seq=last_seq,
            next_seq=page[-1].seq if more else last_seq,
            more=more,
            oldest_seq=kept[0].seq if kept else 0,
        )


def _fits(query: ReadFeed, one: FeedEvent) -> bool:
    since, until = query.since_ns, query.until_ns
    in_time = (since is None or one.time_ns >= since) and (until is None or one.time_ns <= until)
    return in_time and query.filter.matches(one)
