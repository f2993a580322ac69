"""Changes in turns, over ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from services.gateway.entrypoints import metrics
from services.gateway.entrypoints.admission import Admitted, give_place_back
from services.gateway.entrypoints.http import ASGIMessage, ClientGoneError, Receive, Scope, Send
from services.gateway.service.admission import Admission
from tests.support.wait import eventually

_EMPTY: ASGIMessage = {"type": "http.request", "body": b"", "more_body": False}
_GONE: ASGIMessage = {"type": "http.disconnect"}


@dataclass
class Api:
    """An API of one place and one that may wait; each change ends when it is let go."""

    admission: Admission = field(
        default_factory=lambda: Admission(places=1, waiting=1, clock=lambda: 0.0, patience_s=60)
    )
    begun: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    #: What a change does before it waits.
    gives_back: bool = False
    answers_first: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Admitted(self._served, self.admission)(scope, receive, send)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.begun.append(scope["path"])
        self.bodies.append(body)
        if self.gives_back:
            give_place_back(scope)
        if self.answers_first:
            await self._answer(send)
        if scope["method"] == "POST":
            await self.let_go.wait()
        if not self.answers_first:
            await self._answer(send)
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, send: Send) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def until_begun(self, count: int) -> None:
        """Wait for so many changes to have begun."""
        await eventually(lambda: len(self.begun) >= count)

    async def until_waiting(self, count: int) -> None:
        """Wait for so many to be in the queue."""
        await eventually(lambda: self.admission.waiting == count)


@asynccontextmanager
async def _client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=api)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def _post(client: httpx.AsyncClient, path: str) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(client.post(path, content=path.encode()))


async def test_a_change_waits_and_keeps_its_body() -> None:
    """What was read ahead of its turn is what it is served with."""
    api = Api()
    async with _client(api) as client:
        first = _post(client, "/plugins/a/enable")
        await api.until_begun(1)
        second = _post(client, "/plugins/b/enable")
        await api.until_waiting(1)
        assert api.begun == ["/plugins/a/enable"]
        api.let_go.set()
        assert [(await one).status_code for one in (first, second)] == [200, 200]
    assert api.bodies == [b"/plugins/a/enable", b"/plugins/b/enable"]


@pytest.mark.parametrize(
    ("path", "retry_after"), [("/v1.51/plugins/c/enable", "1"), ("/wherry/v1/plugins/pull", "1")]
)
async def test_one_too_many_is_refused_in_the_words_of_its_api(path: str, retry_after: str) -> None:
    """503 where each client has one, with Retry-After; Docker's clients find a message."""
    api = Api()
    refused = metrics.CHANGES_REFUSED.labels("unavailable")
    before = refused._value.get()
    async with _client(api) as client:
        first = _post(client, "/plugins/a/enable")
        await api.until_begun(1)
        api.admission._limit = 0
        answer = await client.post(path)
        api.let_go.set()
        await first
    assert (answer.status_code, answer.headers["retry-after"]) == (503, retry_after)
    assert "1 are in hand: nothing was changed; try again in 1 s" in answer.json()["message"]
    assert refused._value.get() == before + 1


async def test_one_client_that_sends_too_many_has_sent_too_many() -> None:
    """429, as for a rate."""
    api = Api()
    async with _client(api) as client:
        sent = [_post(client, "/plugins/a/enable")]
        await api.until_begun(1)
        sent.append(_post(client, "/plugins/b/enable"))
        await api.until_waiting(1)
        answer = await client.post("/plugins/c/enable")
        api.let_go.set()
        await asyncio.gather(*sent)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "wait for answers before sending others" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/plugins"),
        ("HEAD", "/_ping"),
        ("OPTIONS", "/x"),
        ("PUT", "/ui/plugins/a"),
        ("PUT", "/wherry/v1/node/shutdown"),
    ],
)
async def test_what_needs_no_place(method: str, path: str) -> None:
    """Reads, the console, whose changes are requests of their own, and the node's end."""
    api = Api()
    async with _client(api) as client:
        first = _post(client, "/plugins/a/enable")
        await api.until_begun(1)
        assert (await client.request(method, path)).status_code == 200
        assert api.begun[-1] == path
        api.let_go.set()
        await first


@pytest.mark.parametrize("how", ["gives_back", "answers_first"])
async def test_what_is_only_told_keeps_no_place(how: str) -> None:
    """A change that is committed, or whose answer has begun, lets the next one in."""
    api = Api()
    setattr(api, how, True)
    async with _client(api) as client:
        sent = [_post(client, f"/plugins/{name}/enable") for name in "abc"]
        await api.until_begun(3)
        assert api.admission.in_hand == 0
        api.let_go.set()
        await asyncio.gather(*sent)


async def test_who_hangs_up_while_waiting_is_not_served() -> None:
    """Nothing of its change is done."""
    api = Api()
    async with _client(api) as client:
        first = _post(client, "/plugins/a/enable")
        await api.until_begun(1)
        messages = iter((_EMPTY, _GONE))

        async def receive() -> ASGIMessage:
            return next(messages)

        async def send(_message: ASGIMessage) -> None:
            raise AssertionError("nobody is there to be answered")

        scope = {"type": "http", "method": "POST", "path": "/plugins/b/enable", "headers": []}
        with pytest.raises(ClientGoneError):
            await api(scope, receive, send)
        api.let_go.set()
        await first
    assert api.begun == ["/plugins/a/enable"]
    assert (api.admission.in_hand, api.admission.waiting) == (0, 0)


async def test_a_failed_change_gives_its_place_back() -> None:
    """However it ends."""
    admission = Admission(places=1, waiting=1, clock=lambda: 0.0, patience_s=60)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        raise OSError("broken")

    transport = httpx.ASGITransport(app=Admitted(served, admission))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                await client.post("/plugins/a/enable")
    assert admission.in_hand == 0
