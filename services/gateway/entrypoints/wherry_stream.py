"""Streams as answers of FastAPI's routes."""

from __future__ import annotations

from typing import Any, Final

from fastapi.responses import Response

from services.gateway.entrypoints.exchange import send_stream
from services.gateway.entrypoints.http import Receive, Scope, Send, Stream

SERVER_SENT: Final = "text/event-stream"
JSON_LINES: Final = "application/x-ndjson"
#: How OpenAPI has an answer that is either, as the client accepts.
STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {JSON_LINES: {}, SERVER_SENT: {}}}
}


class StreamResponse(Response):
    """A stream whose client's leaving is told from the gateway's own end."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until it ends or the client hangs up."""
        await send_stream(self._stream, receive, send)
