"""Requests and responses between ASGI and the handlers of Docker's routes."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
)
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl

from services.gateway.domain import docker_json
from shared import errdefs

Scope = MutableMapping[str, Any]
ASGIMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[ASGIMessage]]
Send = Callable[[ASGIMessage], Awaitable[None]]
#: An ASGI application.
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
#: No list of settings is longer.
_BODY_LIMIT: Final = 1 << 20
_META_PREFIX: Final = b"x-meta-"


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Request:
    """A request to a Docker route, its version taken off the path."""

    def __init__(
        self, scope: Scope, receive: Receive, params: Mapping[str, str], *, version: str = ""
    ) -> None:
        self._scope = scope
        self._receive = receive
        self.params = params
        #: Of the API, as the path said it; empty: the newest.
        self.version = version

    @property
    def scope(self) -> Scope:
        """Return what ASGI says of the request and its connection."""
        return self._scope

    @property
    def method(self) -> str:
        """Return the method in capitals."""
        return str(self._scope["method"])

    @property
    def name(self) -> str:
        """Return what the route's `{name}` stands for."""
        return self.params["name"]

    def form(self, key: str) -> str:
        """Return the first value of a query parameter, empty when there is none."""
        return self._form.get(key, "")

    def forms(self, key: str) -> tuple[str, ...]:
        """Return all values of a query parameter."""
        return tuple(value for name, value in self._pairs if name == key)

    def header(self, name: bytes) -> str | None:
        """Return a header by its lower-case name."""
        for key, value in self._scope["headers"]:
            if key == name:
                return bytes(value).decode("latin-1")
        return None

    @property
    def meta_headers(self) -> dict[str, tuple[str, ...]]:
        """Return the headers that are meant for the registry."""
        return meta_headers(self._scope["headers"])

    async def gone(self) -> None:
        """Return when the client has hung up; what is left of the body is thrown away."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raises ClientGoneError."""
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGoneError
            if body := message.get("body", b""):
                yield body
            if not message.get("more_body", False):
                return

    async def body(self) -> bytes:
        """Return the whole body, which must be small; raises InvalidArgument when it is not."""
        gathered = bytearray()
        async for chunk in self.chunks():
            gathered += chunk
            if len(gathered) > _BODY_LIMIT:
                raise errdefs.InvalidArgument(
                    f"the request's body has more than {_BODY_LIMIT} bytes"
                )
        return bytes(gathered)

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        query = self._scope["query_string"].decode("utf-8", "replace")
        return parse_qsl(query, keep_blank_values=True, errors="replace")

    @cached_property
    def _form(self) -> dict[str, str]:
        return dict(reversed(self._pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = b""
    headers: Headers = ()


def meta_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, tuple[str, ...]]:
    """Return the headers that are meant for the registry, named as Go would name them."""
    found: dict[str, tuple[str, ...]] = {}
    for key, value in headers:
        if key.startswith(_META_PREFIX):
            name = key.decode("latin-1").title()
            found[name] = (*found.get(name, ()), value.decode("latin-1"))
    return found


async def _nobody_minds() -> None:
    """Do nothing about a client that hung up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer that goes on; its headers are sent at once."""

    chunks: AsyncGenerator[bytes, None]
    content_type: bytes = JSON
    headers: Headers = ()
    #: Called when the client hangs up before the end; not when the gateway itself stops.
    abandoned: Callable[[], Awaitable[None]] = _nobody_minds


Handler = Callable[[Request], Awaitable[Response | Stream]]


def json_response(value: Any, *, status: int = 200) -> Response:
    """Return *value* as JSON with Docker's newline."""
    return Response(status=status, body=docker_json.encode(value), content_type=JSON)
