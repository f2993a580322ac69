"""How much a request may bring: what is kept in memory is small, files have limits of their own."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

import structlog

from services.gateway.domain import api_version
from services.gateway.entrypoints.access import header, refusal
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.http import Application, ASGIMessage, Receive, Scope, Send
from shared import errdefs

#: Bytes; no list of settings is longer.
BODY_LIMIT: Final = 1 << 20
#: Their bodies go to files, which have a limit of their own, or never end.
_SPOOLED: Final = re.compile(
    r"/plugins/create|/wherry/v1/archives|/wherry/v1/exec/[^/]+/start", re.DOTALL
)
_TOO_LARGE: Final = 413
_HUNG_UP: Final[ASGIMessage] = {"type": "http.disconnect"}

log = structlog.get_logger()


class Bounded:
    """An ASGI application that is never given more than it can hold."""

    def __init__(self, served: Application, *, limit: int = BODY_LIMIT) -> None:
        self._served = served
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it as soon as it is too large."""
        if scope["method"] in ("GET", "HEAD") or _is_spooled(scope["path"]):
            await self._served(scope, receive, send)
            return
        announced = header(scope, b"content-length")
        if announced.isdecimal() and int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        meter = _Meter(receive, send, self._limit)
        await self._served(scope, meter.receive, meter.send)
        if meter.is_exceeded and not meter.has_begun:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = errdefs.InvalidArgument(
            f"the request's body has more than {self._limit} bytes: nothing here needs that much"
        )
        log.warning("request refused", path=scope["path"], error=error.message)
        answer = refusal(scope, error)
        headers = (*answer.headers, (b"connection", b"close"))
        answer = dataclasses.replace(answer, status=_TOO_LARGE, headers=headers)
        await send_answer(answer, receive, send)


class _Meter:
    """The two ends of ASGI for an application that is hung up on when too much comes."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._left = limit
        self.has_begun = False

    @property
    def is_exceeded(self) -> bool:
        """Tell whether more came than is taken."""
        return self._left < 0

    async def receive(self) -> ASGIMessage:
        """Return what the client sends, until it is too much."""
        if self._left < 0:
            return _HUNG_UP
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return _HUNG_UP if self._left < 0 else message

    async def send(self, message: ASGIMessage) -> None:
        """Pass an answer on, unless it is to somebody who was hung up on."""
        if self.is_exceeded and not self.has_begun:
            return
        self.has_begun = True
        await self._send(message)


def _is_spooled(path: str) -> bool:
    return _SPOOLED.fullmatch(api_version.split(path)[1]) is not None
