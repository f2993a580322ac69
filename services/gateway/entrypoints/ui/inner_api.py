"""The API inside the console: what a person does here is the request it stands for.

Whoever is asked about requests of the API, and whatever writes them down, so sees them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from services.gateway.entrypoints.http import (
    JSON,
    Application,
    ASGIMessage,
    Request,
    Scope,
)
from shared import errdefs

#: Of the browser's request alone.
_LEFT_OUT: Final = frozenset(
    {b"accept", b"content-length", b"content-type", b"last-event-id", b"origin", b"referer"}
)
_BY_STATUS: Final[Mapping[int, type[errdefs.Error]]] = {
    400: errdefs.InvalidArgument,
    401: errdefs.Unauthenticated,
    403: errdefs.PermissionDenied,
    404: errdefs.NotFound,
    409: errdefs.Conflict,
    501: errdefs.Unimplemented,
    503: errdefs.Unavailable,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerApi:
    """Sends requests into the API on behalf of who sent one to the console."""

    api: Callable[[], Application]

    async def ask(
        self,
        request: Request,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """Return the answer's JSON, None where it has none; raises what the API answers."""
        sent = b"" if body is None else json.dumps(body).encode()
        answer = _Answer(sent)
        scope = _scope(request.scope, method, path, urlencode(query or {}), sent)
        await self.api()(scope, answer.receive, answer.send)
        return answer.value()


class _Answer:
    """The two ends of ASGI: a body that is known, and an answer that is kept."""

    def __init__(self, sent: bytes) -> None:
        self._unread: bytes | None = sent
        self._status = 0
        self._body = bytearray()

    async def receive(self) -> ASGIMessage:
        if self._unread is None:
            # The person may leave; what was asked for is done all the same.
            await asyncio.Event().wait()
        body, self._unread = self._unread, None
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(self, message: ASGIMessage) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        else:
            self._body += message.get("body", b"")

    def value(self) -> Any:
        said = json.loads(self._body) if self._body.strip() else None
        if self._status < 300:
            return said
        wire = said if isinstance(said, dict) else {}
        if "code" in wire:
            raise errdefs.from_wire(wire)
        kind = _BY_STATUS.get(self._status, errdefs.Error)
        raise kind(str(wire.get("message", "")) or f"the API answered {self._status}")


def _scope(outer: Scope, method: str, path: str, query: str, body: bytes) -> Scope:
    headers = [(k, v) for k, v in outer["headers"] if k not in _LEFT_OUT]
    if body:
        headers.append((b"content-type", JSON))
    headers.append((b"content-length", str(len(body)).encode()))
    return {
        **outer,
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": headers,
        "extensions": {"tls": tls} if (tls := (outer.get("extensions") or {}).get("tls")) else {},
    }
