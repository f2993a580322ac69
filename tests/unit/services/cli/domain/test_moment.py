"""Times as people give them."""

from __future__ import annotations

import pytest

from services.cli.domain import moment
from shared import errdefs

_S = 10**9
_NOW = 1_800_000_000 * _S


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000", 1_700_000_000 * _S),
        ("1700000000.5", 1_700_000_000 * _S + _S // 2),
        ("1.000000001", _S + 1),
        ("10m", _NOW - 600 * _S),
        ("1h30m", _NOW - 5400 * _S),
        ("1.5h", _NOW - 5400 * _S),
        ("250ms", _NOW - _S // 4),
        ("1970-01-01T00:00:01Z", _S),
        ("1970-01-01T01:00:01+01:00", _S),
        ("1970-01-01T00:00:01.123456789Z", _S + 123_456_789),
        ("1970-01-02T00:00:00.5Z", 86400 * _S + _S // 2),
    ],
)
def test_moment(text: str, expected: int) -> None:
    """Dates, seconds and durations are understood."""
    assert moment.to_ns(text, _NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "10 m", "-5m"])
def test_no_moment(text: str) -> None:
    """What is none of them is refused, with what would be right."""
    with pytest.raises(errdefs.InvalidArgument, match="give a date"):
        moment.to_ns(text, _NOW)


def test_written() -> None:
    """A moment is written with all its digits, and as the API takes it."""
    assert moment.to_text(_S + 5) == "1970-01-01T00:00:01.000000005Z"
    assert moment.to_query("1.5", _NOW) == "1.500000000"
    assert moment.to_query("", _NOW) == ""


@pytest.mark.parametrize(("text", "expected"), [("5s", 5.0), ("1m30s", 90.0), ("500ms", 0.5)])
def test_span_of_time(text: str, expected: float) -> None:
    """A span is written as Go writes it."""
    assert moment.to_seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "-5s", "soon"])
def test_no_span_of_time(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(errdefs.InvalidArgument, match="no span of time: give one such as 5s"):
        moment.to_seconds(text)
