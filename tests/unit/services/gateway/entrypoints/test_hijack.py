"""Connections that are taken over."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.entrypoints.exchange import Exchange
from services.gateway.entrypoints.gate import Gate
from services.gateway.entrypoints.hijack import HIJACK, RAW, Head, RefusedError, wants_upgrade
from services.gateway.entrypoints.http import Headers, Response

_HEAD = Head(is_upgrade=True, content_type=RAW)


def test_head() -> None:
    """The head is dockerd's, with the headers that all answers have."""
    assert _HEAD.to_bytes([(b"server", b"x")]) == (
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp\r\nserver: x\r\n\r\n"
    )
    plain = Head(is_upgrade=False, content_type=RAW)
    assert (plain.status, plain.to_bytes([])[:17]) == (200, b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"connection", b"Upgrade"), (b"upgrade", b"tcp")], True),
        ([(b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"tcp")], True),
        ([(b"connection", b"Upgrade")], False),
        ([], False),
    ],
)
def test_who_wants_an_upgrade(headers: Any, expected: bool) -> None:
    """Both headers are needed."""
    assert wants_upgrade({"headers": headers}) is expected


class Taken:
    """A server that hands connections over, and what else it was sent."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.sent: list[Any] = []
        self.scope: dict[str, Any] = {"extensions": {HIJACK: self._take_over}}
        self.exchange = Exchange(self._send, trace_id=b"")
        self.exchange.offer_hijack(self.scope)

    def guard(self, refusal: Response | None) -> None:
        """Have answers looked at."""

        async def look(_status: int, _headers: Headers, _body: bytes) -> Response | None:
            return refusal

        gate = Gate(self._receive, self.exchange.send, body=b"", look=look)
        gate.guard_hijack(self.scope)

    def _take_over(self, head: bytes) -> Any:
        self.heads.append(head)
        return "client"

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def _receive(self) -> Any:
        return {"type": "http.disconnect"}


async def test_taken_over() -> None:
    """What passes is handed over, with a status that is remembered."""
    taken = Taken()
    taken.guard(None)
    assert await taken.scope["extensions"][HIJACK](_HEAD) == "client"
    assert b"\r\napi-version: " in taken.heads[0]
    assert taken.exchange.status == 101


async def test_refused() -> None:
    """What is refused is answered with the refusal, and the connection stays the server's."""
    taken = Taken()
    taken.guard(Response(status=403, body=b"no"))
    with pytest.raises(RefusedError):
        await taken.scope["extensions"][HIJACK](_HEAD)
    assert taken.heads == []
    assert (taken.exchange.status, taken.sent[-1]["body"]) == (403, b"no")
