"""Uploads in chunks, to a registry that keeps what it wants to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from services.pull.adapters.registry import chunks
from services.pull.adapters.registry.authorizer import Authorizer
from services.pull.adapters.registry.endpoints import Endpoint
from services.pull.adapters.registry.retry import Retry
from services.pull.adapters.registry.session import Session
from services.pull.adapters.registry.settings import Hosts, Limits
from services.pull.adapters.registry.tokens import Tokens
from services.pull.adapters.registry.upload import Upload
from shared import errdefs
from tests.support.registry_client import Bytes, Sleeps, described

_LIMITS = Limits(upload_chunk_bytes=10, attempts=3)
_BODY = bytes(40)


class _Nothing(httpx.AsyncByteStream):
    """A body, still to be read, of no bytes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""


def _answer(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=_Nothing())


@dataclass(slots=True, kw_only=True)
class _Forgetful:
    """A registry that forgets an upload at the bytes that *forgets* names, one after the other."""

    forgets: list[int]
    starts: list[int] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return _answer(202, Location="/upload")
        if request.method == "PUT":
            return _answer(201)
        if request.method != "PATCH":
            return _answer(404)
        start, _, last = request.headers["Content-Range"].partition("-")
        assert len(self.starts) < 100, "there is no end of it"
        self.starts.append(int(start))
        if self.forgets and int(start) == self.forgets[0]:
            del self.forgets[0]
            return _answer(503)
        return _answer(202, Location="/upload", Range=f"0-{last}")


async def _refused(_request: httpx.Request) -> tuple[int, bytes]:
    raise AssertionError("nobody asks for a token")


async def _send(registry: _Forgetful) -> None:
    endpoint = Endpoint(scheme="https", authority="r.example.com")
    authorizer = Authorizer(
        endpoint=endpoint,
        credentials=None,
        scopes=frozenset(),
        tokens=Tokens(_LIMITS, lambda: 0.0),
        hosts=Hosts(),
        ask=_refused,
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(registry)) as client:
        session = Session(
            endpoint=endpoint,
            client=client,
            authorizer=authorizer,
            retry=Retry(limits=_LIMITS),
            sleep=Sleeps(),
            denied=lambda refused: errdefs.Unauthenticated(str(refused)),
        )
        upload = Upload(
            session=session, path="a/b", blob=described(_BODY), content=Bytes(body=_BODY)
        )
        await chunks.send(upload, httpx.URL("https://r.example.com/upload"))


async def test_a_registry_that_forgets_each_time_is_given_up() -> None:
    """The first chunk once more is no progress, however often it goes through."""
    registry = _Forgetful(forgets=[10] * 100)

    with pytest.raises(errdefs.Unavailable, match="503"):
        await _send(registry)
    assert registry.starts == [0, 10] * _LIMITS.attempts


async def test_what_gets_further_has_all_its_attempts_again() -> None:
    """An upload that is forgotten more often than is put up with ends, if it gets further."""
    registry = _Forgetful(forgets=[10, 10, 20, 20, 30, 30])

    await _send(registry)

    assert registry.starts[-4:] == [0, 10, 20, 30]
    assert not registry.forgets
