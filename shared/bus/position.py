"""Where a stream begins and ends, and how ids compare."""

from __future__ import annotations

from dataclasses import dataclass

from redis.exceptions import ResponseError

from shared.bus.connection import Words

START = "0-0"


def order(stream_id: str) -> tuple[int, int]:
    """Return what ids are compared by."""
    first, _, second = stream_id.partition("-")
    return int(first), int(second or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The ends of a stream; one that does not exist is empty and begins anew."""

    #: Id of the oldest entry; None: there is no entry.
    first: str | None = None
    #: Highest id ever given.
    last: str = START


def ask_ends(stream: str) -> Words:
    """Return the command that *read_ends* takes the answer of."""
    return ("XINFO", "STREAM", stream)


def read_ends(answer: object) -> Ends:
    """Read the answer; raises ResponseError."""
    if isinstance(answer, ResponseError):
        if "no such key" in str(answer):
            return Ends()
        raise answer
    assert isinstance(answer, list)
    found = dict(zip(answer[::2], answer[1::2], strict=True))
    first = found[b"first-entry"]
    return Ends(
        first=first[0].decode() if first else None, last=found[b"last-generated-id"].decode()
    )
