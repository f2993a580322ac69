"""The envelope's fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared import errdefs
from shared.bus.envelope import (
    Entry,
    Envelope,
    Reply,
    UnreadableError,
    decode,
    decode_reply,
    entries,
)
from tests.support.buses import Ask

texts = st.text(st.characters(exclude_categories=["Cs"]))
full = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def fields(flat: list[str | bytes]) -> dict[bytes, bytes]:
    """Return what Redis would return."""
    parts = [part.encode() if isinstance(part, str) else part for part in flat]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@given(
    envelope=st.builds(
        Envelope,
        message_id=full,
        message_type=full,
        node=texts,
        source=texts,
        body=st.binary(min_size=1),
        correlation=texts,
        traceparent=texts,
        reply_to=texts,
        deadline_ns=st.none() | st.integers(min_value=0),
        epoch=texts,
        is_final=st.booleans(),
    )
)
def test_an_envelope_survives_its_encoding(envelope: Envelope) -> None:
    """Whatever the fields hold, decoding gives the envelope back."""
    assert decode(fields(envelope.encode())) == envelope


def test_the_fields_are_plain() -> None:
    """Field names and values are what redis-cli shows; what is empty is left out."""
    envelope = Envelope(
        message_id="m",
        message_type=Ask.TYPE,
        node="n",
        source="s",
        body=b'{"text":"hi"}',
        deadline_ns=5,
    )

    assert fields(envelope.encode()) == {
        b"id": b"m",
        b"type": b"desk.question.ask.v1",
        b"node": b"n",
        b"src": b"s",
        b"deadline": b"5",
        b"body": b'{"text":"hi"}',
    }
    assert envelope.read(Ask) == Ask(text="hi")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {b"id": b"m", b"type": b"t"},
        {b"id": b"m", b"type": b"t", b"body": b"{}", b"deadline": b"soon"},
        {b"id": b"\xff", b"type": b"t", b"body": b"{}"},
    ],
)
def test_what_is_no_envelope_is_refused(broken: dict[bytes, bytes]) -> None:
    """Missing fields, a deadline that is no number and bytes that are no text are all told."""
    with pytest.raises(UnreadableError):
        decode(broken)


def test_a_bad_body_is_a_validation_error() -> None:
    """The envelope can be read though its body cannot."""
    envelope = decode({b"id": b"m", b"type": b"t", b"body": b"{"})

    with pytest.raises(ValidationError):
        envelope.read(Ask)


def test_a_reply_carries_a_body() -> None:
    """A reply that went well has its body in `ok`."""
    reply = Reply(message_id="m", correlation="c", node="n", source="s", body=b"{}")

    assert fields(reply.encode())[b"ok"] == b"{}"
    assert decode_reply(fields(reply.encode())) == reply


def test_a_reply_carries_an_error() -> None:
    """A reply that did not go well has errdefs' wire form in `error`."""
    error = errdefs.Conflict("plugin foo is enabled", detail={"plugin": "foo"})
    reply = Reply(message_id="m", correlation="c", node="n", source="s", error=error)

    read = decode_reply(fields(reply.encode()))

    assert isinstance(read.error, errdefs.Conflict)
    assert read.error.to_wire() == error.to_wire()


@pytest.mark.parametrize("broken", [{}, {b"error": b"{"}, {b"error": b"[]"}, {b"error": b"1"}])
def test_what_is_no_reply_is_refused(broken: dict[bytes, bytes]) -> None:
    """Neither body nor error, or an error that is no object."""
    with pytest.raises(UnreadableError):
        decode_reply(broken)


def test_entries_are_read_as_redis_returns_them() -> None:
    """Pairs become fields; an entry that was trimmed while it was pending has none."""
    raw: list[list[object]] = [[b"1-0", [b"a", b"1", b"b", b"2"]], [b"2-0", None]]

    assert entries(raw) == [
        Entry(stream_id="1-0", fields={b"a": b"1", b"b": b"2"}),
        Entry(stream_id="2-0", fields=None),
    ]
