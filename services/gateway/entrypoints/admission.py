"""The queue of the API: changes wait for their turn, whoever only reads does not."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import structlog

from services.gateway.domain.access import is_console
from services.gateway.domain.authorization import PEER_PID
from services.gateway.domain.turns import Client
from services.gateway.entrypoints import metrics
from services.gateway.entrypoints.access import identity_of, refusal
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.hijack import HIJACK, Head, Hijacked, TakeOver
from services.gateway.entrypoints.http import (
    Application,
    ASGIMessage,
    ClientGoneError,
    Receive,
    Scope,
    Send,
)
from services.gateway.service.admission import Admission, Place
from shared import errdefs

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Whoever ends the node does not wait for others.
_SHUTDOWN: Final = "/wherry/v1/node/shutdown"
#: Key under which the scope has the place of a request.
_PLACE: Final = "wherry.place"

log = structlog.get_logger()


class Admitted:
    """An ASGI application that is given so many changes at a time.

    A change has its place until its answer begins, so that no stream of output keeps one; where
    that comes late, the handler gives it back.
    """

    def __init__(self, served: Application, admission: Admission) -> None:
        self._served = served
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, in its turn, or refuse it."""
        if not _takes_turns(scope):
            await self._served(scope, receive, send)
            return
        client, ahead = _client(scope), _Ahead(receive)
        try:
            place = self._admission.take(client) or await self._waited(client, ahead)
        except errdefs.Error as error:
            metrics.CHANGES_REFUSED.labels(error.code).inc()
            log.warning("request refused", path=scope["path"], error=error.message)
            await send_answer(refusal(scope, error), receive, send)
            return
        scope[_PLACE] = place
        _watch_hijack(scope, place)
        try:
            await self._served(scope, ahead.receive, _until_answered(send, place))
        finally:
            place.give_back()

    async def _waited(self, client: Client, ahead: _Ahead) -> Place:
        leaving = asyncio.create_task(ahead.gone())
        try:
            place = await self._admission.wait(client, leaving)
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        if place is None:
            raise ClientGoneError
        return place


def give_place_back(scope: Scope) -> None:
    """Let the next change in: this one is committed, and what is left is only told."""
    place: Place | None = scope.get(_PLACE)
    if place is not None:
        place.give_back()


class _Ahead:
    """What a client sends, read ahead as far as it takes to see whether it is still there."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[ASGIMessage] = deque()

    async def gone(self) -> None:
        """Return when the client has hung up. While more of a body than a piece is to come, wait.

        That it hung up is then seen at its turn.
        """
        while True:
            message = await self._receive()
            self._read.append(message)
            if message["type"] == "http.disconnect":
                return
            if message.get("more_body", False):
                await asyncio.Event().wait()

    async def receive(self) -> ASGIMessage:
        """Return what comes next."""
        return self._read.popleft() if self._read else await self._receive()


def _takes_turns(scope: Scope) -> bool:
    # What is done in the console is a request of its own to the API.
    return not (
        scope["method"] in _READING or is_console(scope["path"]) or scope["path"] == _SHUTDOWN
    )


def _client(scope: Scope) -> Client:
    pid = (scope.get("extensions") or {}).get(PEER_PID, 0)
    return Client(name=str(identity_of(scope) or "nobody"), pid=pid)


def _until_answered(send: Send, place: Place) -> Send:
    async def answered(message: ASGIMessage) -> None:
        place.give_back()
        await send(message)

    return answered


def _watch_hijack(scope: Scope, place: Place) -> None:
    """Give the place back when an answer takes the connection over, too."""
    extensions = scope.get("extensions") or {}
    take_over: TakeOver | None = extensions.get(HIJACK)
    if take_over is not None:

        async def watched(head: Head) -> Hijacked:
            place.give_back()
            return await take_over(head)

        extensions[HIJACK] = watched
