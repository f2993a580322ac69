"""Times as people give them: a date, seconds since the epoch, or how long ago."""

from __future__ import annotations

import datetime
import re
from typing import Final

from shared import errdefs

_NS: Final = 10**9
_UNIX: Final = re.compile(r"\d{1,12}(\.\d{1,9})?")
_UNITS_NS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": _NS,
    "m": 60 * _NS,
    "h": 3600 * _NS,
    "d": 86400 * _NS,
}
_PART: Final = r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)"
_DURATION: Final = re.compile(f"(?:{_PART})+")
#: datetime holds microseconds, so what is behind the second is read apart.
_FRACTION: Final = re.compile(r"(?<=:\d\d)\.(\d{1,9})")


def to_ns(text: str, now_ns: int) -> int:
    """Return a moment in nanoseconds since the epoch.

    A date without a zone is local time. Raises InvalidArgument.
    """
    if _UNIX.fullmatch(text):
        second, _, digits = text.partition(".")
        return int(second) * _NS + int(digits.ljust(9, "0"))
    if _DURATION.fullmatch(text):
        return now_ns - _span_ns(text)
    fraction = _FRACTION.search(text)
    try:
        whole = datetime.datetime.fromisoformat(_FRACTION.sub("", text))
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"{text!r} is no time: give a date such as 2026-01-31T12:00:00Z, how long ago, such "
            "as 10m or 1h30m, or seconds since the epoch"
        ) from error
    return int(whole.timestamp()) * _NS + int((fraction[1] if fraction else "").ljust(9, "0"))


def to_seconds(text: str) -> float:
    """Return how many seconds a span of time is, such as 5s or 1m30s; raises InvalidArgument."""
    if not _DURATION.fullmatch(text):
        raise errdefs.InvalidArgument(f"{text!r} is no span of time: give one such as 5s or 1m30s")
    return _span_ns(text) / _NS


def _span_ns(text: str) -> int:
    parts = re.findall(_PART, text)
    return sum(int(float(count) * _UNITS_NS[unit]) for count, unit in parts)


def to_query(text: str, now_ns: int) -> str:
    """Return a moment as the API takes it; nothing for nothing."""
    if not text:
        return ""
    return seconds(to_ns(text, now_ns))


def seconds(time_ns: int) -> str:
    """Write nanoseconds since the epoch as seconds with a fraction."""
    return f"{time_ns // _NS}.{time_ns % _NS:09}"


def to_text(time_ns: int) -> str:
    """Write a moment as Docker writes it in logs: RFC 3339 in UTC with nine digits."""
    whole = datetime.datetime.fromtimestamp(time_ns // _NS, tz=datetime.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ns % _NS:09}Z"
