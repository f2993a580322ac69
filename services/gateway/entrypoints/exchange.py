"""Answers on the wire: headers that all carry, whole answers, streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from services.gateway.domain import api_version
from services.gateway.entrypoints.hijack import HIJACK, Head, Hijacked
from services.gateway.entrypoints.http import (
    ASGIMessage,
    Receive,
    Response,
    Scope,
    Send,
    Stream,
)

#: What nginx writes for a client that hung up; nobody is sent it.
CLIENT_GONE: Final = 499
COMMON: Final = (
    (b"server", f"Docker/{api_version.ENGINE} (linux)".encode()),
    (b"api-version", api_version.CURRENT.encode()),
    (b"ostype", b"linux"),
    (b"docker-experimental", b"false"),
)


class Exchange:
    """Gives every answer the common headers, and remembers what it was."""

    def __init__(self, send: Send, *, trace_id: bytes) -> None:
        self._send = send
        self._headers = [*COMMON, *([(b"wherry-trace-id", trace_id)] if trace_id else [])]
        #: The status that was sent; 0 before.
        self.status = 0

    async def send(self, message: ASGIMessage) -> None:
        """Pass an ASGI message on; the head gets the common headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*self._headers, *message.get("headers", ())]}
        await self._send(message)

    def offer_hijack(self, scope: Scope) -> None:
        """Let the application take the connection over, with a head that has those headers."""
        extensions = scope.get("extensions") or {}
        take_over: Callable[[bytes], Hijacked] | None = extensions.get(HIJACK)
        if take_over is not None:

            async def hijack(head: Head) -> Hijacked:
                self.status = head.status
                return take_over(head.to_bytes(self._headers))

            extensions[HIJACK] = hijack


async def send_answer(answer: Response | Stream, receive: Receive, send: Send) -> None:
    """Send a whole answer, or a stream until it ends or the client hangs up."""
    if isinstance(answer, Stream):
        await send_stream(answer, receive, send)
        return
    headers = list(answer.headers)
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    """Send a stream until it ends, or until the client hangs up and its sender was told."""
    pumping = asyncio.create_task(_pump(stream, send))
    leaving = asyncio.create_task(_client_gone(receive))
    try:
        await asyncio.wait([pumping, leaving], return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
        else:
            await stream.abandoned()
    finally:
        pumping.cancel()
        leaving.cancel()
        await asyncio.gather(pumping, leaving, return_exceptions=True)
        await stream.chunks.aclose()


async def _pump(stream: Stream, send: Send) -> None:
    headers = [(b"content-type", stream.content_type), *stream.headers]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for chunk in stream.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
