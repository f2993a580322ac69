"""What pages are told while they are open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from services.gateway.domain.live_regions import Regions, changes
from services.gateway.domain.plugin_view import PluginFilterView
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.plugins import PluginsPage
from services.gateway.service.replica import Replica
from tests.support.bus import FakeSender
from tests.support.gateway import FakeChanges, changed, event, plugin, snapshot
from tests.unit.services.gateway.entrypoints.ui.conftest import Console

_STREAM = {"accept": "text/event-stream"}


async def test_message() -> None:
    """A message is written as the standard has it, line by line."""
    assert live.message("morph", "a\nb", position="7") == (
        b"id: 7\nevent: morph\ndata: a\ndata: b\n\n"
    )
    assert live.message("morph", "") == b"event: morph\ndata:\n\n"


class _Looks:
    """Positions and parts, as the test sets them."""

    def __init__(self) -> None:
        self.now = ("1", "old")
        self.is_closed = False

    async def look(self) -> tuple[str, Regions]:
        return self.now[0], Regions(parts={"p": self.now[1]})

    async def moved(self, seen: str) -> bool:
        await asyncio.sleep(0)
        return seen != self.now[0]

    def follow(self, seen: str) -> AsyncGenerator[bytes, None]:
        return live.regions(self.look, self.moved, seen=seen, is_closed=lambda: self.is_closed)


async def test_goes_on_where_the_page_stands() -> None:
    """A page that shows what is true is told nothing but the position, and then what changes."""
    looks = _Looks()
    told = looks.follow("1")
    assert await anext(told) == live.message("morph", "", position="1")
    looks.now = ("2", "new")
    assert await anext(told) == live.message("morph", "new", position="2")
    looks.is_closed = True
    with pytest.raises(StopAsyncIteration):
        await anext(told)


async def test_told_anew() -> None:
    """A page that shows something else, such as after a pause, is told all of it."""
    told = _Looks().follow("another gateway's")
    assert await anext(told) == live.message("morph", "old", position="1")
    await told.aclose()


async def test_heaps() -> None:
    """What comes together is told together, and the end is the source's."""

    async def source() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    assert [heap async for heap in live.gathered(source())] == [[1, 2]]


async def test_source_fails() -> None:
    """A source that fails ends the stream with its error, behind what it had told."""

    async def source() -> AsyncGenerator[int, None]:
        yield 1
        raise ConnectionError

    heaps = live.gathered(source())
    assert await anext(heaps) == [1]
    with pytest.raises(ConnectionError):
        await anext(heaps)


async def test_source_is_closed() -> None:
    """Whoever hangs up ends the source."""
    ended = asyncio.Event()

    async def source() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.set()

    heaps = live.gathered(source())
    assert await anext(heaps) == [1]
    await heaps.aclose()
    assert ended.is_set()


async def test_plugins(console: Console) -> None:
    """The list's own address, asked for events, tells the list; by its position, nothing twice."""
    console.world.stopping.set()
    answer = await console.http.get("/ui/plugins", headers=_STREAM)
    assert answer.headers["content-type"] == "text/event-stream"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    summary, rows = answer.text.removesuffix("\n\n").split("\n\n")
    assert summary.startswith("event: morph\n"), "the position is that of the last piece"
    place, *lines = rows.splitlines()
    assert lines[1].startswith('data: <tbody id="rows">')
    position = place.removeprefix("id: ")
    again = await console.http.get("/ui/plugins", headers=_STREAM | {"last-event-id": position})
    assert again.text == f"id: {position}\nevent: morph\ndata:\n\n"


async def test_events_resumed(console: Console) -> None:
    """A feed that broke off goes on behind the last id, without a gap and without a repeat."""
    console.world.kept.append(*(event(seq) for seq in range(1, 6)))
    console.world.feed.close()
    headers = _STREAM | {"last-event-id": "3"}
    text = (await console.http.get("/ui/events", headers=headers)).text
    assert text.startswith("id: 5\nevent: first\n")
    assert [part.split('"')[0] for part in text.split('id="e-')[1:]] == ["5", "4"]


async def test_gap(console: Console) -> None:
    """A reader whose place is no longer kept is told what it has missed."""
    console.world.kept.append(*(event(seq) for seq in range(1, 6)))
    console.world.kept.trimmed = 3
    console.world.feed.close()
    headers = _STREAM | {"last-event-id": "1"}
    text = (await console.http.get("/ui/events", headers=headers)).text
    assert text.startswith("event: gap\n")
    assert "Events 2 to 3 are no longer kept." in text


async def test_wrong_place(console: Console) -> None:
    """A place that is none is refused, and not taken for the beginning."""
    for path in ("/ui/events", "/ui/plugins/aaaaaaaaaaaa/logs"):
        answer = await console.http.get(path, params={"after": "x"}, headers=_STREAM)
        assert answer.status_code == 400


async def test_one_row() -> None:
    """A change is told by the row of its plugin alone."""
    replica = Replica(sender=FakeSender(), changes=FakeChanges())
    replica.inventory.take(snapshot(1, plugin("a"), plugin("b")))
    page = PluginsPage(replica=replica, closed=lambda: False)
    _, before = await page.look(PluginFilterView())
    replica.inventory.apply(changed(2, plugin("b", enabled=True)))
    _, now = await page.look(PluginFilterView())
    (told,) = changes(before, now)
    assert told.startswith('<tr id="p-bbbbbbbbbbbb"')
