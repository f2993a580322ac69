"""`GET /metrics` on a socket, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import h11
import structlog

from shared import errdefs
from shared.metrics.exposition import CONTENT_TYPE

#: Returns the text to show.
Render = Callable[[], Awaitable[str]]

log = structlog.get_logger()

#: A client that is slower than this is hung up on.
_LIMIT_S = 10.0
_PATH = b"/metrics"


@asynccontextmanager
async def on_unix_socket(path: Path, render: Render, *, mode: int = 0o600) -> AsyncIterator[None]:
    """Serve on a socket file while the block runs; one that is there already gives way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(_Endpoint(render=render).serve, path)
    path.chmod(mode)
    try:
        async with _closed_at_the_end(server):
            yield
    finally:
        path.unlink(missing_ok=True)


@asynccontextmanager
async def on_tcp(host: str, port: int, render: Render) -> AsyncIterator[None]:
    """Serve on an address while the block runs; raises Conflict when it is taken."""
    try:
        server = await asyncio.start_server(_Endpoint(render=render).serve, host, port)
    except OSError as error:
        raise errdefs.Conflict(
            f"cannot serve metrics on {host}:{port}: {error.strerror}; set WHERRY_METRICS_ADDRESS"
        ) from error
    async with _closed_at_the_end(server):
        yield


@asynccontextmanager
async def _closed_at_the_end(server: asyncio.Server) -> AsyncIterator[None]:
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """Answers one request a connection."""

    render: Render

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection and close it, whatever the client does."""
        connection = h11.Connection(h11.SERVER)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_LIMIT_S):
                    writer.write(await self._answer(connection, reader))
                    await writer.drain()
        except Exception:
            log.exception("metrics not shown")
        finally:
            writer.close()

    async def _answer(self, connection: h11.Connection, reader: asyncio.StreamReader) -> bytes:
        try:
            request = await _request(connection, reader)
        except h11.RemoteProtocolError as error:
            return _response(connection, error.error_status_hint, f"{error}\n")
        if request is None:
            return b""
        if request.target.partition(b"?")[0] != _PATH or request.method != b"GET":
            return _response(connection, 404, "metrics are at /metrics\n")
        return _response(connection, 200, await self.render())


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(4096))
        elif isinstance(event, h11.Request):
            return event
        else:
            return None  # hung up


def _response(connection: h11.Connection, status: int, text: str) -> bytes:
    body = text.encode()
    headers = [
        ("content-type", CONTENT_TYPE if status == 200 else "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("connection", "close"),
    ]
    head = connection.send(h11.Response(status_code=status, headers=headers)) or b""
    return head + (connection.send(h11.Data(data=body)) or b"")
