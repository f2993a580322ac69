"""The door of the API, over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.gateway.domain.access import How, Identity
from services.gateway.domain.authorization import PEER_UID
from services.gateway.domain.rate import RateLimit
from services.gateway.entrypoints.access import IDENTITY, Guarded, identity_of
from services.gateway.entrypoints.bounds import Bounded
from services.gateway.entrypoints.http import Receive, Scope, Send
from services.gateway.service.access import Access
from shared.access import Role, Token, digest

_FROM: tuple[str, int] = ("192.0.2.1", 4711)


@dataclass
class FakeTokens:
    """A ports.Tokens of a dictionary; None: the node has no tokens."""

    tokens: dict[str, Token] | None = None

    @property
    def are_asked_for(self) -> bool:
        return self.tokens is not None

    def find(self, shown: str) -> Token | None:
        return (self.tokens or {}).get(shown)


@dataclass
class Door:
    """A door, and whom it let in."""

    tokens: FakeTokens = field(default_factory=FakeTokens)
    requests: RateLimit | None = None
    now_s: float = 0.0
    admitted: list[str] = field(default_factory=list)
    #: What connections tell besides.
    extensions: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = dict(self.extensions)
        access = Access(tokens=self.tokens, clock=lambda: self.now_s, requests=self.requests)
        self.access = getattr(self, "access", access)
        await Guarded(Bounded(self._served, limit=10), self.access)(scope, receive, send)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        self.admitted.append(str(identity_of(scope)))
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _client(
    door: Door, *, unix: bool = False, host: str = "127.0.0.1"
) -> AsyncIterator[httpx.AsyncClient]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = None if unix else _FROM
        if unix:
            door.extensions.setdefault(PEER_UID, 0)
        await door(scope, receive, send)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        yield client


def _tokens() -> FakeTokens:
    made = {role: Token(name=f"t-{role}", role=role, sha256=digest(str(role))) for role in Role}
    return FakeTokens({str(role): token for role, token in made.items()})


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_the_unix_socket_lets_processes_in_and_knows_their_user() -> None:
    """Who may connect there was decided by the file's mode; the kernel says who it is."""
    door = Door(tokens=_tokens(), extensions={PEER_UID: 1000})
    async with _client(door, unix=True) as client:
        assert (await client.post("/plugins/x/enable")).status_code == 200
    assert door.admitted == ["socket uid 1000"]


async def test_a_node_with_tokens_asks_for_one_over_tcp() -> None:
    """Without, nothing is served; the answer says how to send one and who makes it."""
    door = Door(tokens=_tokens())
    async with _client(door) as client:
        docker = await client.get("/version")
        ours = await client.get("/wherry/v1/plugins")
    assert (docker.status_code, ours.status_code) == (401, 401)
    assert "wherry token create" in docker.json()["message"]
    assert ours.json()["code"] == "unauthenticated"
    assert docker.headers["www-authenticate"].startswith("Bearer")
    assert door.admitted == []


@pytest.mark.parametrize(
    ("role", "status"), [("read", 403), ("operate", 200), ("admin", 200)], ids=str
)
async def test_a_role_is_enough_or_is_not(role: str, status: int) -> None:
    """What a token may not do is refused, naming the role that it takes."""
    door = Door(tokens=_tokens())
    async with _client(door) as client:
        answer = await client.post("/plugins/x/enable", headers=_bearer(role))
        assert (await client.get("/plugins", headers=_bearer(role))).status_code == 200
    assert answer.status_code == status
    if status == 403:
        assert "--role operate" in answer.json()["message"]


async def test_a_token_narrows_what_a_socket_or_a_certificate_allows() -> None:
    """Who shows a token is who the token says, wherever it is shown."""
    door = Door(tokens=_tokens(), extensions={PEER_UID: 0})
    async with _client(door, unix=True) as client:
        assert (await client.delete("/plugins/x", headers=_bearer("read"))).status_code == 403


async def test_a_wrong_token_is_refused_and_guessing_is_slow() -> None:
    """After some wrong ones the address waits, even with a right one, and is told how long."""
    door = Door(tokens=_tokens())
    async with _client(door) as client:
        for _ in range(10):
            assert (await client.get("/info", headers=_bearer("guess"))).status_code == 401
        answer = await client.get("/info", headers=_bearer("admin"))
        assert answer.status_code == 429
        door.now_s += int(answer.headers["retry-after"])
        assert (await client.get("/info", headers=_bearer("admin"))).status_code == 200


async def test_too_many_requests_wait() -> None:
    """One client too fast is told when to come again; processes of the host are not held up."""
    door = Door(tokens=_tokens(), requests=RateLimit(per_second=1, burst=2))
    async with _client(door) as client:
        for status in (200, 200, 429):
            answer = await client.get("/info", headers=_bearer("read"))
            assert answer.status_code == status
        assert answer.headers["retry-after"] == "1"
        assert "WHERRY_RATE_LIMIT" in answer.json()["message"]
        assert (await client.get("/info", headers=_bearer("admin"))).status_code == 200
    async with _client(door, unix=True) as client:
        for _ in range(5):
            assert (await client.get("/info")).status_code == 200


async def test_without_tokens_loopback_is_open_as_dockerds_is() -> None:
    """A node that has none lets in whoever reaches its address."""
    door = Door()
    async with _client(door) as client:
        assert (await client.get("/info")).status_code == 200
    assert door.admitted == ["address 192.0.2.1"]


async def test_only_the_kernel_says_that_a_client_is_a_process_of_the_host() -> None:
    """A connection whose address can't be told is no unix socket, whatever it sends."""
    door = Door(tokens=_tokens())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = None
        await door(scope, receive, send)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/info", headers={"X-Forwarded-For": ""})
    assert answer.status_code == 401


async def test_a_page_of_another_site_is_refused() -> None:
    """A browser on the host can't be made to call the API by whatever page it shows."""
    door = Door()
    async with _client(door) as client:
        evil = {"Origin": "https://evil.example"}
        assert (await client.post("/plugins/x/enable", headers=evil)).status_code == 403
        own = {"Origin": "http://127.0.0.1"}
        assert (await client.post("/plugins/x/enable", headers=own)).status_code == 200


async def test_a_foreign_name_for_loopback_is_refused() -> None:
    """A name that was made to lead to 127.0.0.1 does not make a page ours."""
    door = Door()
    async with _client(door, host="evil.example") as client:
        answer = await client.get("/info")
    assert answer.status_code == 403
    async with _client(door, host="localhost") as client:
        assert (await client.get("/info")).status_code == 200


async def test_a_body_beyond_the_limit_is_refused() -> None:
    """Announced or not, more than fits is answered 413 and not kept; archives have their own."""
    door = Door()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"xxxx"

    async with _client(door) as client:
        announced = await client.post("/plugins/x/set", content=b"x" * 11)
        streamed = await client.post("/plugins/x/set", content=endless())
        spooled = await client.post("/plugins/create", content=endless())
        fits = await client.post("/plugins/x/set", content=b"x" * 10)
    assert [a.status_code for a in (announced, streamed, spooled, fits)] == [413, 413, 200, 200]
    assert "more than 10 bytes" in announced.json()["message"]


async def test_a_browser_asks_for_the_token_and_sends_it_as_a_password() -> None:
    """The console's pages need a token as all else does."""
    door = Door(tokens=_tokens())
    async with _client(door) as client:
        asked = await client.get("/ui/")
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith("Basic")
        assert (await client.get("/ui/", auth=("me", "read"))).status_code == 200
        assert (await client.get("/ui/", auth=("me", "wrong"))).status_code == 401
        for broken in (b"Basic %%%", b"Basic \xe9\xe9\xe9\xe9", b"Basic /w=="):
            response = await client.get("/ui/", headers={b"Authorization": broken})
            assert response.status_code == 401


async def test_what_the_console_asks_for_is_asked_by_who_sent_the_form() -> None:
    """A request inside another keeps its sender, whose role is looked at for it, too."""
    door = Door(tokens=_tokens())
    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    identity = Identity(how=How.TOKEN, name="t-read", role=Role.READ)
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/plugins/x/enable",
        "query_string": b"",
        "headers": [],
        "client": None,
        IDENTITY: identity,
    }
    await door(scope, receive, send)
    assert statuses[0] == 403
