from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pull.adapters.registry.redirects import BadRedirect
from services.pull.adapters.registry.retry import Retry, retry_after_s
from services.pull.adapters.registry.settings import Limits

_LIMITS = Limits(attempts=4, backoff_base_s=1.0, backoff_cap_s=3.0, retry_after_cap_s=60.0)
_LAST = Retry(limits=_LIMITS, jitter=lambda: 1.0)
_FIRST = Retry(limits=_LIMITS, is_last=False, jitter=lambda: 1.0)
_MIRROR = Retry(limits=_LIMITS, is_mirror=True, is_last=False, jitter=lambda: 1.0)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def unreached(cause: OSError) -> httpx.ConnectError:
    error = httpx.ConnectError("no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("retry", "attempt", "status", "headers", "pause"),
    [
        (_LAST, 1, 200, {}, None),
        (_LAST, 1, 404, {}, None),
        (_LAST, 1, 501, {}, None),
        (_LAST, 1, 503, {}, 1.0),
        (_LAST, 2, 503, {}, 2.0),
        (_LAST, 3, 503, {}, 3.0),
        (_LAST, 4, 503, {}, None),
        (_LAST, 1, 429, {"Retry-After": "60"}, 60.0),
        (_LAST, 1, 429, {"Retry-After": "61"}, None),
        (_LAST, 1, 429, {"Retry-After": "soon"}, 1.0),
        (_LAST, 1, 503, {"Retry-After": "0"}, 0.0),
        (_FIRST, 1, 503, {}, 1.0),
        (_MIRROR, 1, 503, {}, None),
        (_MIRROR, 1, 429, {}, 1.0),
    ],
)
def test_answers(
    retry: Retry, attempt: int, status: int, headers: dict[str, str], pause: float | None
) -> None:
    """What passes is waited out, twice as long each time up to the cap; a mirror is passed over."""
    assert retry.after_answer(attempt, status, httpx.Headers(headers)) == pause


@pytest.mark.parametrize(
    ("retry", "error", "pause"),
    [
        (_LAST, httpx.ReadError("reset"), 1.0),
        (_LAST, httpx.ReadTimeout("slow"), 1.0),
        (_LAST, httpx.RemoteProtocolError("cut"), 1.0),
        (_LAST, unreached(ConnectionRefusedError()), 1.0),
        (_LAST, unreached(socket.gaierror(socket.EAI_AGAIN, "")), 1.0),
        (_LAST, unreached(socket.gaierror(socket.EAI_NONAME, "")), None),
        (_LAST, unreached(ssl.SSLCertVerificationError()), None),
        (_LAST, BadRedirect("loop"), None),
        (_LAST, httpx.LocalProtocolError("ours"), None),
        (_FIRST, httpx.ReadError("reset"), 1.0),
        (_FIRST, unreached(ConnectionRefusedError()), None),
        (_FIRST, httpx.ConnectTimeout("late"), None),
        (_MIRROR, httpx.ReadError("reset"), None),
    ],
)
def test_faults(retry: Retry, error: httpx.TransportError, pause: float | None) -> None:
    """What may be better next time is tried again, unless there is somebody else to ask."""
    assert retry.after_fault(1, error, was_reached=True) == pause
    assert retry.after_fault(_LIMITS.attempts, error, was_reached=True) is None


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (unreached(ConnectionRefusedError()), None),
        (unreached(socket.gaierror(socket.EAI_AGAIN, "")), None),
        (httpx.ConnectTimeout("late"), None),
        (httpx.ReadError("reset"), 1.0),
        (httpx.RemoteProtocolError("cut"), 1.0),
    ],
)
def test_who_was_never_reached_is_not_waited_for(
    error: httpx.TransportError, pause: float | None
) -> None:
    """Nobody there at the first request of an operation is told at once; a reset is not that."""
    assert _LAST.after_fault(1, error, was_reached=False) == pause


@given(jitter=st.floats(0, 1), attempt=st.integers(1, _LIMITS.attempts - 1))
def test_the_jitter_keeps_half_of_a_pause(jitter: float, attempt: int) -> None:
    """A pause is never shorter than half, nor longer than the whole, of what it would be."""
    longest = _LAST.after_answer(attempt, 503, {})
    pause = Retry(limits=_LIMITS, jitter=lambda: jitter).after_answer(attempt, 503, {})

    assert longest is not None
    assert pause is not None
    assert longest / 2 <= pause <= longest <= _LIMITS.backoff_cap_s


@given(st.integers(-100, 100_000))
def test_retry_after_may_be_a_date(seconds: int) -> None:
    """A date counts from now; one that is past means at once."""
    until = format_datetime(_NOW + timedelta(seconds=seconds), usegmt=True)

    assert retry_after_s(until, _NOW) == max(0, seconds)


@pytest.mark.parametrize(
    "value",
    [
        f"Mon, {'9' * 23} Jan 2020 00:00:00 GMT",
        f"Mon, 01 Jan 2020 00:00:00 +{'9' * 21}",
        "Mon, 01 Jan 99999 00:00:00 GMT",
    ],
    ids=["day", "zone", "year"],
)
def test_a_date_that_no_clock_shows_is_none(value: str) -> None:
    """Numbers beyond what a date may hold are as good as no date."""
    assert retry_after_s(value, _NOW) is None


@given(st.text())
def test_retry_after_may_be_anything(value: str) -> None:
    """Whatever a registry writes is a pause or nothing."""
    found = retry_after_s(value, _NOW)

    assert found is None or found >= 0
