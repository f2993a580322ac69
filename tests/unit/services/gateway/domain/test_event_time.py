"""The times of GET /events."""

from __future__ import annotations

import pytest

from services.gateway.domain import event_time
from services.gateway.domain.event_time import Window
from shared import errdefs


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("", None),
        ("-1", None),
        ("0", 0),
        ("1795315116", 1_795_315_116_000_000_000),
        ("1795315116.000000005", 1_795_315_116_000_000_005),
        ("1.5", 1_500_000_000),
        ("1.0000000019", 1_000_000_001),
    ],
)
def test_to_ns(value: str, ns: int | None) -> None:
    """Seconds may have a fraction, scaled by its digits; nothing and -1 mean no time."""
    assert event_time.to_ns(value) == ns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("1.", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("1.x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("2026-01-01T00:00:00Z", 'strconv.ParseInt: parsing "2026-01-01T00:00:00Z": invalid'),
    ],
)
def test_to_ns_refuses(value: str, text: str) -> None:
    """What is no number is refused in Go's words."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        event_time.to_ns(value)
    assert refused.value.message.startswith(text)
    assert refused.value.docker_unclassed


def test_until_before_since() -> None:
    """An end before the beginning is refused, with both as they were written."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        Window.parse("5", "3.5")
    assert refused.value.message == "`since` time (5) cannot be after `until` time (3.5)"
    assert not refused.value.docker_unclassed


def test_window_of_the_past() -> None:
    """A window is past when its end is, and never when it has none."""
    assert Window.parse("", "3").is_past(4_000_000_000)
    assert not Window.parse("", "5").is_past(4_000_000_000)
    assert not Window.parse("3", "").is_past(4_000_000_000)
