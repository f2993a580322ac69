"""The application behind uvicorn on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.gateway.adapters.http_protocol import HEAD_LIMIT
from services.gateway.adapters.listener import UnixListener
from services.gateway.adapters.server import Limits, serve_http
from shared.contracts.event import EventPublished
from shared.contracts.store import CreatePlugin, EnablePlugin
from tests.support.gateway import changed, event, plugin, plugin_id, reply
from tests.support.gateway_app import AppWorld, serving
from tests.support.wait import eventually

_BOUNDARY = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    world: AppWorld
    socket: Path
    stop: asyncio.Event
    task: asyncio.Task[None]

    def client(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket))
        return httpx.AsyncClient(transport=transport, base_url="http://x", timeout=10)

    @contextlib.asynccontextmanager
    async def raw(
        self, text: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection and send the beginning of a request."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(text.replace("\n", "\r\n").encode())
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def listens(self) -> bool:
        """Tell whether new clients are taken."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket)) == 0

    def publish(self, seq: int) -> None:
        """Have the event service keep and publish an event."""
        one = event(seq, revision=100 + seq)
        self.world.kept.append(one)
        self.world.published.put(EventPublished(event=one))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give the test a folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="wherry-gw-") as name:
        yield Path(name)


@contextlib.asynccontextmanager
async def _serving(folder: Path, limits: Limits) -> AsyncIterator[_Served]:
    """Serve the application on a socket, on stand-ins for the other services."""
    async with serving(folder) as world:
        listener = UnixListener(folder / "docker.sock")
        stop = asyncio.Event()
        sockets = [listener.open()]
        serve = serve_http(
            world.app, sockets, stop=stop, grace_s=2, ready=world.ready, limits=limits
        )
        task = asyncio.create_task(serve)
        yield _Served(world=world, socket=folder / "docker.sock", stop=stop, task=task)
        world.feed.close()
        stop.set()
        await task
        listener.remove()
        assert not (folder / "docker.sock").exists()


@pytest.fixture
async def served(folder: Path) -> AsyncIterator[_Served]:
    """Serve with as much patience as a node has."""
    async with _serving(folder, Limits()) as served:
        yield served


@pytest.fixture
async def impatient(folder: Path) -> AsyncIterator[_Served]:
    """Serve with very little patience for heads."""
    async with _serving(folder, Limits(head_s=0.2)) as served:
        yield served


async def test_many_at_once(served: _Served) -> None:
    """Two hundred clients read at once, and each gets its answer."""
    async with served.client() as client:
        answers = await asyncio.gather(*(client.get("/v1.41/plugins") for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()[0]["Id"] for answer in answers} == {plugin_id("a")}


async def test_a_plain_read_is_answered_as_any_other(served: _Served) -> None:
    """What lies ready is the answer that the application gives, whatever else the query asks."""
    paths = ("/_ping", "/version", "/v1.41/plugins", "/plugins/a/plugin/json", "/plugins/none/json")
    async with served.client() as client:
        for path in paths:
            ready, asked = await client.get(path), await client.get(f"{path}?x=1")
            assert (ready.status_code, ready.content) == (asked.status_code, asked.content)
            assert {**ready.headers, "date": ""} == {**asked.headers, "date": ""}


@pytest.mark.parametrize("size", [70_000, 3_000_000])
async def test_a_long_answer_comes_whole(served: _Served, size: int) -> None:
    """An answer longer than what a socket holds is whole, asked for twice at once, and changed."""
    read = "GET /plugins HTTP/1.1\nHost: x\n\n"
    for revision, letter in enumerate("xy", 5):
        text = letter * size
        await served.world.change(changed(revision, plugin("a", config={"Description": text})))
        async with served.raw(read) as (reader, writer), asyncio.timeout(20):
            writer.write(read.replace("\n", "\r\n").encode())
            for _ in range(2):
                head = (await reader.readuntil(_BOUNDARY)).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
                (shown,) = json.loads(await reader.readexactly(length))
                assert shown["Config"]["Description"] == text


async def test_a_body_is_never_taken_for_a_read(served: _Served) -> None:
    """Bytes that belong to a request whose answer came early are not read as another request."""
    refused = "POST /nothing HTTP/1.1\nHost: x\n"
    async with served.raw(f"{refused}Content-Length: 100\n\n") as (reader, writer):
        async with asyncio.timeout(5):
            await reader.readuntil(_BOUNDARY)
            await reader.readuntil(b"\n")
            writer.write(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises((TimeoutError, asyncio.IncompleteReadError)):
                async with asyncio.timeout(0.3):
                    await reader.readuntil(b"OK")


async def test_reads_that_come_together_are_all_answered(served: _Served) -> None:
    """Two requests in one piece, and one in two pieces, are three answers."""
    ping = "GET /_ping HTTP/1.1\nHost: x\n\n"
    async with served.raw(ping + ping + ping[:9]) as (reader, writer), asyncio.timeout(5):
        for _ in range(2):
            assert await reader.readuntil(b"OK")
        writer.write(ping[9:].replace("\n", "\r\n").encode())
        assert await reader.readuntil(b"OK")


async def test_slow_clients_hold_up_nobody(served: _Served) -> None:
    """Requests that never end do not keep others waiting."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(50):
            slow = "POST /plugins/a/set HTTP/1.1\nHost: x\nContent-Length: 9\n"
            await stack.enter_async_context(served.raw(slow))
        async with served.client() as client, asyncio.timeout(5):
            assert (await client.get("/_ping")).text == "OK"


async def test_keep_alive_after_no_content(served: _Served) -> None:
    """Answers without a body leave the connection whole."""
    served.world.sender.answers[EnablePlugin] = reply(changed(5, plugin("a", enabled=True)))
    request = (
        "POST /plugins/a/plugin/enable?timeout=1 HTTP/1.1\nHost: x\nContent-Length: 0\n\n"
        "GET /_ping HTTP/1.1\nHost: x\nConnection: close\n\n"
    )
    async with served.raw(request) as (reader, _):
        answers = await reader.read()
    first, rest = answers.split(_BOUNDARY, 1)
    assert b"content-length: 0" in first
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert rest.endswith(b"OK")


async def test_events_come_as_they_happen(served: _Served) -> None:
    """The head is sent before anything has happened, and each event at once."""
    async with served.client() as client, client.stream("GET", "/events") as stream:
        assert stream.headers["transfer-encoding"] == "chunked"
        lines = stream.aiter_lines()
        for seq in (1, 2):
            served.publish(seq)
            assert json.loads(await anext(lines))["time"] == seq


async def test_reader_hangs_up(served: _Served) -> None:
    """A reader that is gone is noticed without an event having to happen."""
    async with served.raw("GET /events HTTP/1.1\nHost: x\n\n") as (reader, _):
        await reader.readuntil(_BOUNDARY)
        assert served.world.feed.listeners == 1
    await eventually(lambda: served.world.feed.listeners == 0)


@pytest.mark.parametrize("path", ["/events", "/wherry/v1/events"])
async def test_stop_ends_streams(served: _Served, path: str) -> None:
    """When the gateway stops, streams end as streams do."""
    async with served.client() as client, client.stream("GET", path) as stream:
        served.world.feed.close()
        served.stop.set()
        assert [line async for line in stream.aiter_lines()] == []
    async with asyncio.timeout(5):
        await served.task


async def test_stop_lets_verbs_finish(served: _Served) -> None:
    """A verb in hand is answered, though the gateway stops."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def enable(_command: EnablePlugin) -> object:
        asked.set()
        await go_on.wait()
        return reply(changed(5, plugin("a", enabled=True)))

    served.world.sender.answers[EnablePlugin] = enable  # type: ignore[assignment] # one command
    async with served.client() as client:
        verb = asyncio.create_task(client.post("/plugins/a/enable?timeout=1"))
        await asked.wait()
        served.stop.set()
        await eventually(lambda: not served.listens())
        go_on.set()
        assert (await verb).status_code == 200


async def test_body_that_breaks_off(served: _Served) -> None:
    """A client that hangs up in the middle of a context leaves no file, and no command is sent."""
    staging = served.world.staging
    head = "POST /plugins/create?name=b HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n"
    async with served.raw(f"{head}3\nabc\n") as (_, writer):
        await writer.drain()
        await eventually(lambda: list(staging.iterdir()))
    await eventually(lambda: not list(staging.iterdir()))
    assert served.world.sender.sent == []


async def test_large_context_in_constant_memory(served: _Served, folder: Path) -> None:
    """A context of 200 MB is streamed to disk; memory does not grow with it."""
    sizes: list[int] = []

    def create(command: CreatePlugin) -> object:
        sizes.append(Path(command.context_path).stat().st_size)
        return reply(changed(5, plugin("b")))

    served.world.sender.answers[CreatePlugin] = create  # type: ignore[assignment] # one command
    served.world.spool.limit = 1 << 30
    before = _resident_bytes()
    peak = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal peak
        for _ in range(200):
            yield bytes(1 << 20)
            peak = max(peak, _resident_bytes())

    async with served.client() as client:
        response = await client.post("/plugins/create?name=b", content=body())
    assert response.status_code == 204
    assert sizes == [200 << 20]
    assert peak - before < 50 << 20
    assert list(served.world.staging.iterdir()) == []


async def test_endless_head(served: _Served) -> None:
    """A head that does not end is cut, and takes no memory without bound."""
    async with served.raw(f"GET / HTTP/1.1\nx-filler: {'y' * HEAD_LIMIT}") as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")


async def _pong(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(_BOUNDARY)
    assert await reader.readexactly(2) == b"OK"


@pytest.mark.parametrize("head", ["", "\n\n", "GET /_ping HTTP/1.1\nHost: x\n"])
async def test_a_head_that_never_comes(impatient: _Served, head: str) -> None:
    """Who connects and says nothing, or half of a head, is not waited for."""
    async with impatient.raw(head) as (reader, _), asyncio.timeout(10):
        assert await reader.read() == b""


@pytest.mark.parametrize("query", ["", "?x=1"])
async def test_a_next_head_that_never_comes(impatient: _Served, query: str) -> None:
    """Half of a later head is not waited for either, whether the answer before lay ready or not."""
    ping = f"GET /_ping{query} HTTP/1.1\nHost: x\n\n"
    async with impatient.raw(ping) as (reader, writer), asyncio.timeout(10):
        await _pong(reader)
        writer.write(b"GET /_ping HTTP/1.1\r\n")
        assert await reader.read() == b""


async def test_a_head_that_comes_byte_by_byte(impatient: _Served) -> None:
    """A byte now and then gains nobody time."""
    async with impatient.raw("GET / HTTP/1.1\nx-filler: ") as (reader, writer), asyncio.timeout(10):
        closed = asyncio.create_task(reader.read())
        while not closed.done():
            writer.write(b"y")
            await asyncio.wait([closed], timeout=0.01)
        assert closed.exception() or closed.result() == b""


async def _outwait(served: _Served) -> None:
    """Wait until a client that came just now and says nothing is hung up on."""
    async with served.raw("") as (reader, _), asyncio.timeout(10):
        assert await reader.read() == b""


@pytest.mark.parametrize("query", ["", "?x=1"])
async def test_an_idle_client_has_more_time_than_a_head(impatient: _Served, query: str) -> None:
    """Between requests the connection stays."""
    ping = f"GET /_ping{query} HTTP/1.1\nHost: x\n\n"
    async with impatient.raw(ping) as (reader, writer), asyncio.timeout(10):
        for _ in range(3):
            await _pong(reader)
            await _outwait(impatient)
            writer.write(ping.replace("\n", "\r\n").encode())
        await _pong(reader)


@pytest.mark.parametrize("query", ["", "?x=1"])
async def test_an_idle_client_is_left_in_the_end(folder: Path, query: str) -> None:
    """Its connection is closed, whether its answer lay ready or not."""
    async with _serving(folder, Limits(idle_s=1)) as served:
        request = f"GET /_ping{query} HTTP/1.1\nHost: x\n\n"
        async with served.raw(request) as (reader, _), asyncio.timeout(10):
            await _pong(reader)
            assert await reader.read() == b""


async def test_a_body_may_take_its_time(impatient: _Served) -> None:
    """Only heads are hurried."""
    impatient.world.sender.answers[CreatePlugin] = reply(changed(5, plugin("b")))
    head = "POST /plugins/create?name=b HTTP/1.1\nHost: x\nContent-Length: 6\n\n"
    async with impatient.raw(f"{head}abc") as (reader, writer), asyncio.timeout(10):
        await _outwait(impatient)
        writer.write(b"def")
        assert (await reader.readuntil(_BOUNDARY)).startswith(b"HTTP/1.1 204 ")


async def test_a_stream_may_take_its_time(impatient: _Served) -> None:
    """An answer in hand goes on, though half of the next head comes and no more."""
    request = "GET /events HTTP/1.1\nHost: x\n\nGET /_ping HTTP/1.1\n"
    async with impatient.raw(request) as (reader, _), asyncio.timeout(10):
        await reader.readuntil(_BOUNDARY)
        for seq in (1, 2):
            await _outwait(impatient)
            impatient.publish(seq)
            assert b'"time":%d' % seq in (await reader.readuntil(b"}\n")).replace(b" ", b"")


async def test_no_http(served: _Served) -> None:
    """What is no HTTP is refused, and the server goes on."""
    async with served.raw("\x16\x03\x01 hello\n\n") as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    async with served.client() as client:
        assert (await client.get("/_ping")).status_code == 200


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
