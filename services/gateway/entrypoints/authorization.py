"""Authorization around the API: plugins are asked about requests, and about their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from services.gateway.domain import authorization
from services.gateway.domain.access import How
from services.gateway.domain.authorization import BODY_LIMIT, PEER_UID, Caller, Question
from services.gateway.entrypoints.access import common_name, identity_of, refusal
from services.gateway.entrypoints.dispatch import is_extension
from services.gateway.entrypoints.exchange import COMMON, send_answer
from services.gateway.entrypoints.gate import Gate
from services.gateway.entrypoints.http import (
    Application,
    ClientGoneError,
    Headers,
    Receive,
    Response,
    Scope,
    Send,
)
from services.gateway.service.authorization import Authorization
from shared import errdefs

#: Says how the node is, and so why a plugin can't be asked.
_HEALTH: Final = "/wherry/v1/health"
_SHUTDOWN: Final = "/wherry/v1/node/shutdown"

log = structlog.get_logger()


class Authorized:
    """An ASGI application that serves what the plugins allow.

    Two things are not asked about on the unix socket. The node's health: a plugin that hangs must
    not hide that it does. And its shutdown by the host's root, who could as well kill it: dockerd
    asks nobody either when it is told to stop.
    """

    def __init__(self, served: Application, plugins: Authorization) -> None:
        self._served = served
        self._plugins = plugins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if _is_health_on_socket(scope) or _is_shutdown_by_root(scope):
            await self._served(scope, receive, send)
            return
        try:
            body = await _shown_body(scope, receive)
            question = _question(scope, body or b"")
            asked = await self._plugins.before(question)
        except errdefs.Error as error:
            await send_answer(_refusal(scope, error), receive, send)
            return

        async def look(status: int, headers: Headers, answer: bytes) -> Response | None:
            return await self._look(
                scope,
                question.answered(
                    status, _shown_headers(headers), _shown_answer(scope, headers, answer)
                ),
                asked,
            )

        gate = Gate(receive, send, body=body, look=look)
        gate.guard_hijack(scope)
        await self._served(scope, gate.receive, gate.send)

    async def _look(
        self, scope: Scope, question: Question, asked: Sequence[str]
    ) -> Response | None:
        try:
            await self._plugins.after(question, asked)
        except errdefs.Error as error:
            return _refusal(scope, error)
        return None


def _is_health_on_socket(scope: Scope) -> bool:
    # A client on TCP has an address, one on the unix socket has none.
    return scope["path"] == _HEALTH and scope["method"] == "GET" and not scope.get("client")


def _is_shutdown_by_root(scope: Scope) -> bool:
    peer_uid = scope.get("extensions", {}).get(PEER_UID)
    return (scope["method"], scope["path"]) == ("POST", _SHUTDOWN) and peer_uid == 0


async def _shown_body(scope: Scope, receive: Receive) -> bytes | None:
    """Read the body where plugins are shown it; None leaves it unread.

    Raises PermissionDenied when it is too long to be shown: what it hides can't be judged.
    """
    if not _shows_body(scope, scope["headers"]):
        return None
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) >= BODY_LIMIT:
            raise errdefs.InvalidArgument(
                "request body too large for authorization plugin: "
                f"size exceeds {BODY_LIMIT - 1} bytes",
                docker_unclassed=True,
            )
        more = message.get("more_body", False)
    return bytes(body)


def _shows_body(scope: Scope, headers: Headers) -> bool:
    found = (value.decode("latin-1") for key, value in headers if key.lower() == b"content-type")
    path = scope["path"]
    return authorization.shows_body(path, next(found, None), is_extension=is_extension(path))


def _question(scope: Scope, body: bytes) -> Question:
    raw = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"]
    return Question(
        caller=_caller(scope),
        method=scope["method"],
        uri=(raw + b"?" + query if query else raw).decode("latin-1"),
        headers=authorization.shown_headers(h for h in scope["headers"] if h[0] != b"host"),
        body=body,
    )


def _shown_headers(headers: Headers) -> dict[str, str]:
    return authorization.shown_headers((*COMMON, *headers))


def _shown_answer(scope: Scope, headers: Headers, body: bytes) -> bytes:
    return body if _shows_body(scope, headers) else b""


def _caller(scope: Scope) -> Caller:
    """Return who was recognized by a client certificate or by a token."""
    identity = identity_of(scope)
    if identity is not None and identity.how is How.TOKEN:
        return Caller(user=identity.name, method="Token")
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain") or ()
    if not chain:
        return Caller()
    return Caller(user=common_name(chain[0]), certificates=tuple(chain))


def _refusal(scope: Scope, error: errdefs.Error) -> Response:
    log.warning("request refused", path=scope["path"], error=error.message)
    return refusal(scope, error)
