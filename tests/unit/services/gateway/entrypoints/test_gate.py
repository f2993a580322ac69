"""Answers that wait for leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.gateway.entrypoints.gate import Gate
from services.gateway.entrypoints.http import ASGIMessage, Headers, Response

_REFUSAL = Response(status=403, body=b"no")


class Wire:
    """The client's side, and what was looked at."""

    def __init__(self, *, refuses: bool = False, body: bytes | None = None) -> None:
        self.sent: list[ASGIMessage] = []
        self.looked: list[tuple[int, bytes]] = []
        self.messages: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self.refuses = refuses
        self.gate = Gate(self.messages.get, self.send, body=body, look=self.look)

    async def send(self, message: ASGIMessage) -> None:
        """Keep what the client gets."""
        self.sent.append(message)

    async def look(self, status: int, headers: Headers, body: bytes) -> Response | None:
        """Look."""
        self.looked.append((status, body))
        return _REFUSAL if self.refuses else None

    async def answer(self, *chunks: bytes, length: int | None = None, status: int = 200) -> None:
        """Answer through the gate."""
        headers = [] if length is None else [(b"content-length", str(length).encode())]
        await self.gate.send({"type": "http.response.start", "status": status, "headers": headers})
        for index, chunk in enumerate(chunks):
            more = index < len(chunks) - 1
            await self.gate.send({"type": "http.response.body", "body": chunk, "more_body": more})

    @property
    def got(self) -> tuple[int, bytes]:
        """Return the status and the body that the client got."""
        return self.sent[0]["status"], b"".join(m.get("body", b"") for m in self.sent[1:])


async def test_a_whole_answer_is_looked_at_whole() -> None:
    """Nothing leaves before the whole body was looked at."""
    wire = Wire()
    await wire.answer(b"ab", b"cd", length=4)
    assert wire.looked == [(200, b"abcd")]
    assert wire.got == (200, b"abcd")


async def test_an_answer_without_a_body() -> None:
    """204 has no length, and is looked at as a whole answer."""
    wire = Wire()
    await wire.answer(b"", status=204)
    assert (wire.looked, wire.got) == ([(204, b"")], (204, b""))


@pytest.mark.parametrize("length", [None, 1 << 20])
async def test_streams_are_looked_at_by_their_head(length: int | None) -> None:
    """The head of a stream, and of what is too long to be shown, leaves at once."""
    wire = Wire()
    await wire.gate.send(_head(length))
    assert wire.looked == [(200, b"")]
    assert len(wire.sent) == 1
    await wire.gate.send({"type": "http.response.body", "body": b"x", "more_body": True})
    assert wire.got == (200, b"x")


async def test_refused_answers_never_leave() -> None:
    """In place of what is refused the client gets the refusal, once."""
    for length in (4, None):
        wire = Wire(refuses=True)
        await wire.answer(b"ab", b"cd", length=length)
        assert wire.got == (403, b"no")
        assert len(wire.looked) == 1


async def test_a_refused_stream_is_told_to_end() -> None:
    """Who sends a stream that is refused hears that its client hung up."""
    wire = Wire(refuses=True, body=b"")
    await wire.gate.receive()
    leaving = asyncio.create_task(wire.gate.receive())
    await asyncio.sleep(0)
    await wire.gate.send(_head(None))
    assert (await leaving)["type"] == "http.disconnect"


async def test_a_body_that_was_read_is_given_once() -> None:
    """The application reads the body that was shown, then waits for the client to leave."""
    wire = Wire(body=b"shown")
    first = await wire.gate.receive()
    assert (first["body"], first["more_body"]) == (b"shown", False)
    wire.messages.put_nowait({"type": "http.disconnect"})
    assert (await wire.gate.receive())["type"] == "http.disconnect"


async def test_a_body_that_was_not_read_comes_as_it_comes() -> None:
    """A long upload passes through piece by piece."""
    wire = Wire()
    pieces: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
        {"type": "http.disconnect"},
    ]
    for piece in pieces:
        wire.messages.put_nowait(piece)
    assert [await wire.gate.receive() for _ in pieces] == pieces


def _head(length: int | None) -> ASGIMessage:
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return {"type": "http.response.start", "status": 200, "headers": headers}
