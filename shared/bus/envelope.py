"""What surrounds a message in a stream: clear fields, each readable with redis-cli."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared import errdefs
from shared.contracts.message import Message

M = TypeVar("M", bound=Message)

#: Fields of an entry as Redis returns them.
Fields = Mapping[bytes, bytes]


#: What each entry has.
_NEEDED = frozenset({b"id", b"type", b"body"})


class UnreadableError(ValueError):
    """An entry of a stream is not an envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message on its way, its body not parsed yet."""

    message_id: str
    message_type: str
    node: str
    #: Process that sent it.
    source: str
    #: The message as JSON.
    body: bytes
    correlation: str = ""
    #: W3C trace context.
    traceparent: str = ""
    #: Stream that the answer goes to; empty: nobody waits.
    reply_to: str = ""
    #: When the sender stops waiting, in nanoseconds since the epoch.
    deadline_ns: int | None = None
    #: Database that a relayed fact came from.
    epoch: str = ""
    #: Whether a progress stream ends here.
    is_final: bool = False

    def read(self, model: type[M]) -> M:
        """Parse the body; raises pydantic.ValidationError."""
        return model.model_validate_json(self.body)

    def encode(self) -> list[str | bytes]:
        """Return field, value, field, value …, leaving out what is empty."""
        deadline = "" if self.deadline_ns is None else str(self.deadline_ns)
        pairs: tuple[tuple[str, str | bytes], ...] = (
            ("id", self.message_id),
            ("type", self.message_type),
            ("node", self.node),
            ("src", self.source),
            ("corr", self.correlation),
            ("tp", self.traceparent),
            ("reply", self.reply_to),
            ("deadline", deadline),
            ("epoch", self.epoch),
            ("final", "1" if self.is_final else ""),
            ("body", self.body),
        )
        return [part for pair in pairs if pair[1] for part in pair]


def decode(fields: Fields) -> Envelope:
    """Read an entry; raises UnreadableError."""
    if not fields.keys() >= _NEEDED:
        missing = ", ".join(sorted(name.decode() for name in _NEEDED - fields.keys()))
        raise UnreadableError(f"the entry has no field {missing}")
    try:
        return Envelope(
            message_id=fields[b"id"].decode(),
            message_type=fields[b"type"].decode(),
            node=_text(fields, b"node"),
            source=_text(fields, b"src"),
            body=fields[b"body"],
            correlation=_text(fields, b"corr"),
            traceparent=_text(fields, b"tp"),
            reply_to=_text(fields, b"reply"),
            deadline_ns=int(fields[b"deadline"]) if b"deadline" in fields else None,
            epoch=_text(fields, b"epoch"),
            is_final=b"final" in fields,
        )
    except ValueError as error:
        raise UnreadableError(f"the entry's fields are not text and numbers: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer on its way: the body of a message, or an error."""

    #: Id and correlation of the command that it answers.
    message_id: str
    correlation: str
    node: str
    source: str
    body: bytes = b""
    error: errdefs.Error | None = None

    def encode(self) -> list[str | bytes]:
        """Return field, value, field, value …; the answer lies in `ok` or in `error`."""
        head: list[str | bytes] = ["id", self.message_id, "corr", self.correlation]
        head += ["node", self.node, "src", self.source]
        if self.error is not None:
            return [*head, "error", json.dumps(self.error.to_wire(), default=str)]
        return [*head, "ok", self.body]


def decode_reply(fields: Fields) -> Reply:
    """Read an entry of a reply stream; raises UnreadableError."""
    try:
        error = errdefs.from_wire(json.loads(fields[b"error"])) if b"error" in fields else None
        if error is None and b"ok" not in fields:
            raise UnreadableError("the reply has neither ok nor error")
        return Reply(
            message_id=_text(fields, b"id"),
            correlation=_text(fields, b"corr"),
            node=_text(fields, b"node"),
            source=_text(fields, b"src"),
            body=fields.get(b"ok", b""),
            error=error,
        )
    except (ValueError, AttributeError) as error_:
        raise UnreadableError(f"the reply cannot be read: {error_}") from error_


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a stream; *fields* is None when it was trimmed but is still pending."""

    stream_id: str
    fields: Fields | None


def entries(raw: Sequence[Sequence[object]]) -> list[Entry]:
    """Read what XRANGE, XCLAIM and one stream of XREAD return."""
    return [_entry(row) for row in raw if row]


def _entry(row: Sequence[object]) -> Entry:
    stream_id, flat = row
    assert isinstance(stream_id, bytes)
    if not isinstance(flat, list):
        return Entry(stream_id=stream_id.decode(), fields=None)
    return Entry(stream_id=stream_id.decode(), fields=dict(zip(flat[::2], flat[1::2], strict=True)))


def _text(fields: Fields, name: bytes) -> str:
    return fields.get(name, b"").decode()
