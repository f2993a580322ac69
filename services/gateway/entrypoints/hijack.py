"""Connections that are taken over: an answer's head, then raw bytes both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from services.gateway import ports
from services.gateway.entrypoints.http import Headers, Scope

#: Key of the server's extension.
HIJACK: Final = "wherry.hijack"
RAW: Final = b"application/vnd.docker.raw-stream"
MULTIPLEXED: Final = b"application/vnd.docker.multiplexed-stream"


class Hijacked(ports.Stream, Protocol):
    """A client whose connection was taken over."""

    async def gone(self) -> None:
        """Return once the client has hung up wholly, and not only sends no more."""
        ...


class RefusedError(Exception):
    """Somebody has refused the answer, and has answered in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of the answer, as dockerd writes it."""

    is_upgrade: bool
    content_type: bytes

    @property
    def status(self) -> int:
        """Return the status."""
        return 101 if self.is_upgrade else 200

    @property
    def headers(self) -> Headers:
        """Return its own headers."""
        return ((b"content-type", self.content_type),)

    def to_bytes(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return it as it is sent, with *headers* that all answers have."""
        lines = [b"HTTP/1.1 101 UPGRADED" if self.is_upgrade else b"HTTP/1.1 200 OK"]
        lines.append(b"Content-Type: " + self.content_type)
        if self.is_upgrade:
            lines += [b"Connection: Upgrade", b"Upgrade: tcp"]
        lines += [name + b": " + value for name, value in headers]
        return b"\r\n".join([*lines, b"", b""])


#: Takes a connection over. Raises ConnectionError when the client is gone, RefusedError.
TakeOver = Callable[[Head], Awaitable[Hijacked]]


def wants_upgrade(scope: Scope) -> bool:
    """Tell whether the client wishes to speak something else than HTTP from here on."""
    headers = {name: value.lower() for name, value in scope["headers"]}
    return b"upgrade" in headers.get(b"connection", b"") and b"upgrade" in headers


async def splice(client: Hijacked, stream: ports.Stream) -> None:
    """Copy both ways until the stream is at its end, or the client gone; close both."""
    giving = asyncio.create_task(_copy(stream, client))
    taking = asyncio.create_task(_copy(client, stream))
    leaving = asyncio.create_task(client.gone())
    try:
        await asyncio.wait([giving, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (giving, taking, leaving):
            task.cancel()
        await asyncio.gather(giving, taking, leaving, return_exceptions=True)
        await stream.close()
        await client.close()


async def _copy(source: ports.Stream, target: ports.Stream) -> None:
    try:
        while data := await source.read():
            await target.write(data)
    except ConnectionError:
        return  # whoever is gone is noticed at its other half as well
    target.end()
