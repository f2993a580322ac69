"""The audit around the API: nothing is changed before it was told who asked for it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from opentelemetry import trace

from services.gateway.domain.access import is_audited
from services.gateway.entrypoints import tracing
from services.gateway.entrypoints.access import identity_of, refusal
from services.gateway.entrypoints.exchange import CLIENT_GONE, send_answer
from services.gateway.entrypoints.hijack import HIJACK, Head, Hijacked, TakeOver
from services.gateway.entrypoints.http import Application, ASGIMessage, Receive, Scope, Send
from services.gateway.service.audit import AuditTrail
from shared import errdefs
from shared.contracts.audit import RequestAudited

_NOBODY: Final = "nobody"


class Audited:
    """An ASGI application whose changes are told to the audit, before and after."""

    def __init__(self, served: Application, trail: AuditTrail) -> None:
        self._served = served
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; refuse it while the audit can't be told of it."""
        if not is_audited(scope["method"], scope["path"]):
            await self._served(scope, receive, send)
            return
        request = told(self._trail, scope)
        try:
            await self._trail.begin(request)
        except errdefs.Error as error:
            await send_answer(refusal(scope, error), receive, send)
            return
        answer = _Answer(send)
        answer.watch_hijack(scope)
        try:
            await self._served(scope, receive, answer.send)
        finally:
            await self._trail.end(request, answer.status or CLIENT_GONE)


def told(trail: AuditTrail, scope: Scope) -> RequestAudited:
    """Return what the audit is told of a request."""
    query = parse_qsl(scope["query_string"].decode("utf-8", "replace"), errors="replace")
    return trail.of(
        who=str(identity_of(scope) or _NOBODY),
        method=scope["method"],
        path=scope["path"],
        query=dict(reversed(query)),
        trace_id=tracing.trace_id(trace.get_current_span()).decode(),
    )


class _Answer:
    """Passes an answer on, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: ASGIMessage) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def watch_hijack(self, scope: Scope) -> None:
        """Learn the status of an answer that takes the connection over, too."""
        extensions = scope.get("extensions") or {}
        take_over: TakeOver | None = extensions.get(HIJACK)
        if take_over is not None:

            async def watched(head: Head) -> Hijacked:
                self.status = head.status
                return await take_over(head)

            extensions[HIJACK] = watched
