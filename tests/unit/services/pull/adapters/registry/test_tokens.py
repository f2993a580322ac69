from __future__ import annotations

import asyncio
import json
import math
from urllib.parse import parse_qs

import httpx
import pytest

from services.pull.adapters.registry.authorizer import merged
from services.pull.adapters.registry.credentials import Credentials
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.tokens import AccessRefused, TokenRequest, Tokens

_LOGIN = Credentials(server="r", username="robin", password="cuckoo-7")


class Server:
    """A token server in memory, and the clock."""

    def __init__(self, **token: object) -> None:
        self.token: dict[str, object] = {"expires_in": 100, **token}
        self.statuses: dict[str, int] = {}
        self.asked: list[httpx.Request] = []
        self.now = 0.0

    async def ask(self, request: httpx.Request) -> tuple[int, bytes]:
        """Give a token with the number of the request as its value."""
        await asyncio.sleep(0)
        self.asked.append(request)
        status = self.statuses.get(request.method, 200)
        body = {"token": f"t{len(self.asked)}", **self.token} if status == 200 else {"error": "no"}
        return status, json.dumps(body).encode()

    def tokens(self, limits: Limits | None = None) -> Tokens:
        """Return a cache on this clock."""
        return Tokens(limits or Limits(), lambda: self.now)


def wanted(
    *scopes: str, credentials: Credentials | None = None, is_offline: bool = False
) -> TokenRequest:
    return TokenRequest(
        realm="https://tokens.example.com/token?x=1",
        service="s",
        scopes=frozenset(scopes),
        credentials=credentials,
        is_offline=is_offline,
    )


async def test_a_token_is_used_until_shortly_before_its_end() -> None:
    """One is asked for, kept, and replaced before it runs out."""
    server = Server()
    tokens = server.tokens()

    first = await tokens.get(wanted("a"), server.ask)
    server.now = 94.9
    assert await tokens.get(wanted("a"), server.ask) is first
    server.now = 95.0
    assert (await tokens.get(wanted("a"), server.ask)).value == "t2"


@pytest.mark.parametrize(
    "expires_in",
    [None, 0, -5, "x", math.inf, math.nan, 10**400],
    ids=["none", "zero", "past", "text", "inf", "nan", "huge"],
)
async def test_a_token_without_a_lifetime_lives_a_minute(expires_in: object) -> None:
    """Where a server says nothing of use, the specification's default counts."""
    server = Server(expires_in=expires_in)

    token = await server.tokens().get(wanted("a"), server.ask)

    assert token.expires == 55.0


async def test_scopes_and_logins_have_tokens_of_their_own() -> None:
    """A token serves just the scopes and the login it was asked for."""
    server = Server()
    tokens = server.tokens()
    kinds = (wanted("a"), wanted("b"), wanted("a", "b"), wanted("a", credentials=_LOGIN))

    values = {(await tokens.get(kind, server.ask)).value for kind in kinds}

    assert len(values) == len(server.asked) == 4


async def test_those_who_ask_together_get_the_same() -> None:
    """A token under way is waited for, not asked for again."""
    server = Server()
    tokens = server.tokens()

    found = await asyncio.gather(*(tokens.get(wanted("a"), server.ask) for _ in range(5)))

    assert {token.value for token in found} == {"t1"}


async def test_a_refused_token_is_replaced_for_all_who_were_refused() -> None:
    """Five requests that were refused with one token ask for one other."""
    server = Server()
    tokens = server.tokens()
    first = await tokens.get(wanted("a"), server.ask)

    found = await asyncio.gather(
        *(tokens.get(wanted("a"), server.ask, instead_of=first.value) for _ in range(5))
    )

    assert {token.value for token in found} == {"t2"}


async def test_the_cache_is_bounded() -> None:
    """Of too many tokens those go first that end first."""
    server = Server()
    tokens = server.tokens(Limits(tokens=2))
    for number, scope in enumerate("abc"):
        server.now = number
        await tokens.get(wanted(scope), server.ask)

    await tokens.get(wanted("c"), server.ask)
    await tokens.get(wanted("b"), server.ask)
    assert len(server.asked) == 3
    await tokens.get(wanted("a"), server.ask)
    assert len(server.asked) == 4


async def test_a_password_is_posted_and_never_in_an_address() -> None:
    """OAuth's password grant goes by POST, scopes in one field, secrets in the body."""
    server = Server()

    await server.tokens().get(wanted("b", "a", credentials=_LOGIN), server.ask)

    (request,) = server.asked
    form = parse_qs(request.content.decode())
    assert (request.method, request.url.query) == ("POST", b"x=1")
    assert form["scope"] == ["a b"]
    assert form["grant_type"] == ["password"]
    assert (form["username"], form["password"]) == (["robin"], ["cuckoo-7"])


@pytest.mark.parametrize("status", [400, 401, 404, 405])
async def test_a_server_that_knows_no_post_is_asked_by_get(status: int) -> None:
    """The older protocol is the way round, with Basic and a parameter a scope."""
    server = Server()
    server.statuses["POST"] = status

    await server.tokens().get(wanted("b", "a", credentials=_LOGIN), server.ask)

    get = server.asked[-1]
    assert get.method == "GET"
    assert get.headers["Authorization"] == _LOGIN.basic
    assert get.url.params.get_list("scope") == ["a", "b"]
    assert (get.url.params["x"], get.url.params["account"]) == ("1", "robin")
    assert "cuckoo-7" not in str(get.url)


async def test_an_identity_token_has_no_other_way() -> None:
    """A refresh token that is refused is refused; user and password play no part."""
    server = Server()
    server.statuses["POST"] = 401
    login = Credentials(server="r", username="robin", password="p", identity_token="refresh")

    with pytest.raises(AccessRefused, match=r"tokens\.example\.com answered 401: no") as caught:
        await server.tokens().get(wanted("a", credentials=login), server.ask)

    assert caught.value.is_by_token_server
    (request,) = server.asked
    form = parse_qs(request.content.decode())
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], ["refresh"])
    assert "password" not in form


async def test_a_login_asks_for_something_to_keep() -> None:
    """What is tried out as a login asks for a refresh token as Docker does, by GET."""
    server = Server(refresh_token="keep")

    token = await server.tokens().get(wanted(credentials=_LOGIN, is_offline=True), server.ask)

    assert token.refresh_token == "keep"
    assert server.asked[0].url.params["offline_token"] == "true"


@pytest.mark.parametrize("value", ["", None, "a\nb", "\u00e9"])
async def test_what_is_no_token_is_refused(value: str | None) -> None:
    """A token must be fit for a header."""
    server = Server(token=value)

    with pytest.raises(AccessRefused, match="sent no token"):
        await server.tokens().get(wanted("a"), server.ask)


def test_scopes_of_one_repository_are_joined() -> None:
    """What the registry asks for and what we know we need become one list."""
    assert merged(
        ["repository:a/b:pull", "repository:a/b:push", "repository(plugin):a/b:pull"]
    ) == {
        "repository:a/b:pull,push",
        "repository(plugin):a/b:pull",
    }
    assert merged(["repository:h:5000/a:pull"]) == {"repository:h:5000/a:pull"}
