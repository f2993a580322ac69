"""A plugin's output in /wherry/v1."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import ASGIMessage
from shared import errdefs
from shared.contracts.executor import FollowLog, LogEntry, LogLine
from tests.support.gateway import plugin_id
from tests.support.gateway_app import AppWorld
from tests.support.gateway_streams import FakeStream
from tests.support.wait import eventually

_PATH = "/wherry/v1/plugins/a/plugin/logs"
_ENTRIES = (
    LogEntry(container_id="c-1", started_at_ns=1),
    LogEntry(container_id="c-1", line=LogLine(time_ns=2, stream="stderr", text="é")),
)
_SENT = b"".join(e.model_dump_json(exclude_none=True).encode() + b"\n" for e in _ENTRIES)


async def test_last_lines(world: AppWorld) -> None:
    """Without more, the last hundred lines are given as one document, of a stopped plugin too."""
    world.streams.next = stream = FakeStream(_SENT + b"\n")
    response = await world.get(_PATH)
    assert response.json() == {
        "lines": [{"time_ns": 2, "stream": "stderr", "text": "é", "partial": False}]
    }
    assert world.streams.asked == [FollowLog(log_name=plugin_id("a"), tail=100)]
    assert stream.is_closed


@pytest.mark.parametrize("text", ["x", "错", "\x1b"], ids=["ascii", "wide", "escaped"])
async def test_last_of_long_output(world: AppWorld, text: str) -> None:
    """Of long output the last lines are given that fit, measured as the executor writes them."""
    lines = [LogLine(time_ns=n, stream="stdout", text=text * 10_000) for n in range(1000, 1500)]
    entries = [LogEntry(container_id="c-1", line=line).model_dump_json() for line in lines]
    sent = "".join(f"{entry}\n" for entry in entries).encode()
    world.streams.next = FakeStream(sent + b"\n")
    response = await world.get(_PATH)
    fit = 4 * 1024 * 1024 // (len(sent) // len(lines))
    assert response.json() == models.Logs(lines=tuple(lines[-fit:])).model_dump(mode="json")


async def test_entries(world: AppWorld) -> None:
    """Who follows gets every entry as a line of JSON, as the executor wrote it."""
    world.streams.next = FakeStream(_SENT + b"\n")
    query = {"follow": "1", "since": "1.5", "until": "3", "tail": "all"}
    response = await world.get(_PATH, **query)
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.content == _SENT
    wish = FollowLog(
        log_name=plugin_id("a"), since_ns=1_500_000_000, until_ns=3_000_000_000, follow=True
    )
    assert world.streams.asked == [wish]


async def test_a_client_that_is_gone_before_the_head(world: AppWorld) -> None:
    """Who hangs up while the head is on its way leaves nothing open at the executor."""
    world.streams.next = stream = FakeStream()
    asked, head_is_sent = asyncio.Event(), asyncio.Event()

    async def receive() -> ASGIMessage:
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await head_is_sent.wait()
        return {"type": "http.disconnect"}

    async def send(_message: ASGIMessage) -> None:
        head_is_sent.set()
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": _PATH, "headers": []}
    async with asyncio.timeout(5):
        await world.app({**scope, "query_string": b"follow=1"}, receive, send)
    await eventually(lambda: stream.is_closed, limit_s=5)


async def test_cut(world: AppWorld) -> None:
    """A log that ends because the executor does says so in its last line."""
    world.streams.next = stream = FakeStream(_SENT)
    stream.feed_end()
    response = await world.client.get(_PATH, headers={"accept": "application/x-ndjson"})
    *entries, last = response.content.splitlines(keepends=True)
    assert b"".join(entries) == _SENT
    assert json.loads(last)["problem"]["code"] == "unavailable"


async def test_refused(world: AppWorld) -> None:
    """Without an executor there is no output, and nothing is begun."""
    world.streams.next = errdefs.Unavailable("nobody answers")
    response = await world.get(_PATH, follow="1")
    assert (response.status_code, response.json()["message"]) == (503, "nobody answers")


async def test_times_in_the_wrong_order(world: AppWorld) -> None:
    """A window that ends before it begins is refused."""
    assert (await world.get(_PATH, since="2", until="1")).status_code == 400
