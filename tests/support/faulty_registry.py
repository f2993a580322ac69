"""A registry that does what a test scripts: lies, breaks, stalls; it notes what it was asked.

Raw HTTP over asyncio, because no library of servers would send such answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_TLS_RECORD = 0x16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of that name, empty for none."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Return all headers of that name."""
        return [value for key, value in self.headers if key == name.lower()]


#: One scripted answer; the connection goes on if it returns, and is closed if it closes it.
Behaviour = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


class FaultyRegistry:
    """An async context manager; ``on`` scripts it, ``asked`` is what came."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        #: A method whose requests are answered with 413 before their bodies are read.
        self.refuses_body_of = ""
        self._scripts: dict[tuple[str, str], list[Behaviour]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop all connections, in the middle of whatever they do."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the loop takes its leave of them
        await self._server.wait_closed()

    @property
    def authority(self) -> str:
        """Return ``host:port``."""
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://{self.authority}"

    @property
    def connections(self) -> int:
        """Return how many connections were made, those that spoke TLS too."""
        return len(self._writers)

    @property
    def open_connections(self) -> int:
        """Return how many of them nobody has closed yet."""
        return sum(not writer.is_closing() for writer in self._writers)

    def on(self, method: str, path: str, *behaviours: Behaviour) -> None:
        """Answer so, one after the other, the last one for ever."""
        self._scripts[method, path] = list(behaviours)

    def to(self, method: str, path: str = "") -> list[Asked]:
        """Return the requests of one kind that came."""
        return [one for one in self.asked if one.method == method and path in ("", one.path)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        task.add_done_callback(self._tasks.discard)
        ends = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ends):
            while asked := await self._read(reader, writer):
                self.asked.append(asked)
                await self._next(asked)(asked, writer)
                await writer.drain()
        writer.close()

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Asked | None:
        first = await reader.read(1)
        if not first or first[0] == _TLS_RECORD:
            return None  # gone, or speaking TLS to a server that has none
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.rstrip().split("\r\n")
        method, target, _ = start.split(" ")
        if method == self.refuses_body_of:
            writer.write(head_of(413, {"Content-Length": "0", "Connection": "close"}))
            await writer.drain()
            await asyncio.sleep(0.2)  # a reset, which follows, must not overtake the answer
            return None
        pairs = (line.split(":", 1) for line in lines)
        headers = tuple((name.lower(), value.strip()) for name, value in pairs)
        length = int(dict(headers).get("content-length", "0"))
        return Asked(
            method=method,
            path=urlsplit(target).path,
            query=urlsplit(target).query,
            headers=headers,
            body=await reader.readexactly(length),
        )

    def _next(self, asked: Asked) -> Behaviour:
        script = self._scripts.get((asked.method, asked.path))
        if not script:
            return answer(404)
        return script.pop(0) if len(script) > 1 else script[0]


def head_of(status: int, headers: dict[str, str]) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{key}: {value}" for key, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer properly; ``Retry_After`` is a header too. HEAD gets the length and no body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        length = {} if status == 204 else {"Content-Length": str(len(body))}
        writer.write(head_of(status, {**length, **named}))
        if asked.method != "HEAD":
            writer.write(body)

    return behave


def blob(body: bytes, *, knows_range: bool = True) -> Behaviour:
    """Answer with a blob, as a registry does that is well; or that ignores Range."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await _send_blob(body, asked, writer, knows_range=knows_range, upto=len(body))

    return behave


def broken_blob(body: bytes, after: int, *, knows_range: bool = True) -> Behaviour:
    """Reset the connection when *after* bytes of the blob, from its start, have been sent."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await _send_blob(body, asked, writer, knows_range=knows_range, upto=after)
        await writer.drain()
        await asyncio.sleep(0.05)  # a reset overtakes what was sent before it
        _reset(writer)

    return behave


def reset() -> Behaviour:
    """Reset the connection instead of an answer."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        _reset(writer)

    return behave


def raw(*pieces: bytes, pause_s: float = 0.0, then_stall: bool = False) -> Behaviour:
    """Send just these bytes, with a pause after each; then hold the connection or close it."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if then_stall:
            await asyncio.Event().wait()
        writer.close()

    return behave


def endless(status: int = 200, **headers: str) -> Behaviour:
    """Send a body, in chunks, that never ends."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head_of(status, {"Transfer-Encoding": "chunked", **named}))
        while True:
            writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            await writer.drain()

    return behave


def redirect(to: str, status: int = 307) -> Behaviour:
    """Send the request on."""
    return answer(status, Location=to)


async def _send_blob(
    body: bytes, asked: Asked, writer: asyncio.StreamWriter, *, knows_range: bool, upto: int
) -> None:
    wanted = asked.header("range")
    start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and knows_range else 0
    headers = {"Content-Length": str(len(body) - start)}
    if wanted and knows_range:
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    writer.write(head_of(206 if "Content-Range" in headers else 200, headers))
    writer.write(body[start:upto])


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
