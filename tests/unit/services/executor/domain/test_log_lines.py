"""Log lines as conmon writes them."""

from __future__ import annotations

import pytest

from services.executor.domain import log_lines

_AT = b"2026-11-22T12:35:45.665684865+00:00"
_AT_NS = 1_795_350_945_665_684_865


def test_a_line_has_its_time_to_the_nanosecond() -> None:
    """Times lose nothing, and zones are taken into account."""
    parsed = log_lines.parse(_AT + b" stderr F a  text with blanks")
    east = log_lines.parse(b"2026-11-22T14:35:45.665684865+02:00 stdout F x")

    assert parsed is not None
    assert parsed[0].time_ns == _AT_NS
    assert (parsed[0].stream, parsed[0].text) == ("stderr", "a  text with blanks")
    assert east is not None
    assert east[0].time_ns == _AT_NS


@pytest.mark.parametrize("raw", [b"", b"2026", b"x stdout F y", _AT + b" stdout Q text"])
def test_what_is_no_line_is_left_out(raw: bytes) -> None:
    """A line cut off by a crash harms no other."""
    assert log_lines.parse(raw) is None


def test_pieces_are_joined_per_stream() -> None:
    """Pieces of two streams that mix belong to their own lines."""
    raw = [
        _AT + b" stdout P one ",
        _AT + b" stderr P err",
        _AT + b" stdout P two ",
        _AT + b" stderr F or",
        _AT + b" stdout F three",
        _AT + b" stdout P never ended",
    ]

    texts = [line.text for line in log_lines.join_partials(raw)]

    assert texts == ["error", "one two three", "never ended"]


def test_text_that_is_no_utf8_is_told_all_the_same() -> None:
    """Bytes that are no text are replaced."""
    parsed = log_lines.parse(_AT + b" stdout F \xff!")

    assert parsed is not None
    assert parsed[0].text == "\ufffd!"
