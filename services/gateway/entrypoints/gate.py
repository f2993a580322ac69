"""An answer that waits for leave: held until somebody has looked at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.gateway.domain.authorization import BODY_LIMIT
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.hijack import HIJACK, Head, Hijacked, RefusedError, TakeOver
from services.gateway.entrypoints.http import (
    ASGIMessage,
    Headers,
    Receive,
    Response,
    Scope,
    Send,
)

#: Looks at the status, the headers and the body of an answer: None lets it pass, a response is
#: sent in its place.
Look = Callable[[int, Headers, bytes], Awaitable[Response | None]]

_GONE: Final[ASGIMessage] = {"type": "http.disconnect"}


class Gate:
    """The two ends of ASGI for an application whose answer is looked at before its first byte.

    Of a stream, and of what is too long to be shown, only the head is looked at. One that is
    refused is told that its client hung up.
    """

    def __init__(self, receive: Receive, send: Send, *, body: bytes | None, look: Look) -> None:
        """Take the request's *body* where it was read already."""
        self._receive = receive
        self._send = send
        self._unread = body
        self._is_body_read = body is not None
        self._look = look
        self._head: ASGIMessage | None = None
        self._body = bytearray()
        self._passes = False
        self._is_refused = asyncio.Event()

    async def receive(self) -> ASGIMessage:
        """Return the request's body, then what the client does."""
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._is_body_read:
            return await self._gone()
        message = await self._receive()
        self._is_body_read = not message.get("more_body", False)
        return message

    async def send(self, message: ASGIMessage) -> None:
        """Pass a message on, hold it, or drop it."""
        if self._passes:
            await self._send(message)
        elif self._is_refused.is_set():
            return
        elif message["type"] == "http.response.start":
            self._head = message
            if not _is_held(message):
                await self._decide()
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._decide()

    def guard_hijack(self, scope: Scope) -> None:
        """Look at the head of an answer that takes the connection over, too."""
        extensions = scope.get("extensions") or {}
        take_over: TakeOver | None = extensions.get(HIJACK)
        if take_over is not None:

            async def guarded(head: Head) -> Hijacked:
                refusal = await self._look(head.status, head.headers, b"")
                if refusal is None:
                    return await take_over(head)
                self._is_refused.set()
                await send_answer(refusal, self._receive, self._send)
                raise RefusedError

            extensions[HIJACK] = guarded

    async def _decide(self) -> None:
        head = self._head
        assert head is not None  # ASGI sends it first
        headers = tuple(head.get("headers", ()))
        refusal = await self._look(head["status"], headers, bytes(self._body))
        if refusal is not None:
            self._is_refused.set()
            await send_answer(refusal, self._receive, self._send)
            return
        self._passes = True
        await self._send(head)
        if _is_held(head):
            await self._send({"type": "http.response.body", "body": bytes(self._body)})

    async def _gone(self) -> ASGIMessage:
        """Return when the client has hung up, or was refused."""
        leaving = asyncio.ensure_future(self._receive())
        refused = asyncio.create_task(self._is_refused.wait())
        try:
            await asyncio.wait([leaving, refused], return_when=asyncio.FIRST_COMPLETED)
            return leaving.result() if leaving.done() else _GONE
        finally:
            for task in (leaving, refused):
                task.cancel()
            await asyncio.gather(leaving, refused, return_exceptions=True)


def _is_held(head: ASGIMessage) -> bool:
    """Tell an answer that is shown with its body: its length is known, and it is short."""
    if head["status"] in (204, 304):
        return True
    headers = head.get("headers", ())
    lengths = [int(value) for key, value in headers if key.lower() == b"content-length"]
    return bool(lengths) and lengths[0] < BODY_LIMIT
