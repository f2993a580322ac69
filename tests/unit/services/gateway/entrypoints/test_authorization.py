"""Which requests authorization plugins are not asked about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from services.gateway.domain.authorization import PEER_UID, Question
from services.gateway.entrypoints.authorization import Authorized
from services.gateway.entrypoints.http import ASGIMessage, Receive, Scope, Send
from services.gateway.service.authorization import Authorization
from shared import errdefs


class DeniesAll:
    """Plugins that allow nothing."""

    async def before(self, question: Question) -> Sequence[str]:
        """Deny."""
        raise errdefs.PermissionDenied(f"no {question.uri}")


async def _status(scope: dict[str, Any]) -> int:
    sent: list[ASGIMessage] = []

    async def send(message: ASGIMessage) -> None:
        sent.append(message)

    async def receive() -> ASGIMessage:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def serve(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guarded = Authorized(serve, cast("Authorization", DeniesAll()))
    await guarded({"type": "http", "headers": [], "query_string": b"", **scope}, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("method", "path", "peer_uid", "status"),
    [
        pytest.param("POST", "/wherry/v1/node/shutdown", 0, 204, id="root stops"),
        pytest.param("POST", "/wherry/v1/node/shutdown", 1000, 403, id="another stops"),
        pytest.param("GET", "/wherry/v1/node/shutdown", 0, 403, id="another method"),
        pytest.param("POST", "/wherry/v1/gc", 0, 403, id="root does something else"),
        pytest.param("GET", "/wherry/v1/health", 1000, 204, id="health"),
        pytest.param("GET", "/version", 0, 403, id="root asks"),
    ],
)
async def test_what_is_not_asked_about(method: str, path: str, peer_uid: int, status: int) -> None:
    """Over the unix socket: the node's health, and its shutdown by root."""
    extensions = {PEER_UID: peer_uid}
    scope: dict[str, Any] = {"method": method, "path": path, "extensions": extensions}
    assert await _status(scope) == status


@pytest.mark.parametrize("path", ["/wherry/v1/node/shutdown", "/wherry/v1/health"])
async def test_all_is_asked_about_over_tcp(path: str) -> None:
    """A client that has an address is nobody's root."""
    for method in ("GET", "POST"):
        scope: dict[str, Any] = {
            "method": method,
            "path": path,
            "client": ("127.0.0.1", 1),
            "extensions": {},
        }
        assert await _status(scope) == 403
