"""When calls are refused, and when one may try."""

from __future__ import annotations

import asyncio

import pytest

from shared import errdefs
from shared.plugin_rpc.breaker import Breaker, BreakerOpen, BreakerSettings
from tests.support.plugin_rpc import FakeTime

_SETTINGS = BreakerSettings(threshold=3, pause_s=5.0, longest_pause_s=12.0)


def _fail(breaker: Breaker, *, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(errdefs.Unavailable), breaker.call():
            raise errdefs.Unavailable("gone")


def _breaker() -> tuple[Breaker, FakeTime]:
    time = FakeTime()
    return Breaker(_SETTINGS, time), time


def test_opens_after_failures_in_a_row() -> None:
    """The third failure in a row has the next call refused, which says for how long."""
    breaker, time = _breaker()
    _fail(breaker, times=3)
    time.now_s += 1
    with pytest.raises(BreakerOpen) as refusal:
        breaker.check()
    assert (refusal.value.failures, refusal.value.retry_in_s) == (3, 4.0)


def test_a_success_between_counts_anew() -> None:
    """Failures that are not in a row never open it."""
    breaker, _ = _breaker()
    for _ in range(3):
        _fail(breaker, times=2)
        with breaker.call():
            pass
    assert breaker.retry_in_s is None


def test_an_answered_error_is_a_success() -> None:
    """A plugin that answers errors answers."""
    breaker, _ = _breaker()
    for _ in range(5):
        with pytest.raises(errdefs.NotFound), breaker.call():
            raise errdefs.NotFound("no such volume")
    assert breaker.retry_in_s is None


def test_a_cancelled_call_says_nothing() -> None:
    """Who hangs up says nothing about the plugin."""
    breaker, _ = _breaker()
    _fail(breaker, times=2)
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError), breaker.call():
            raise asyncio.CancelledError
    assert breaker.retry_in_s is None
    _fail(breaker)
    assert breaker.retry_in_s == 5.0


def test_one_call_tries() -> None:
    """After the pause one call goes through, and while it is under way others are refused."""
    breaker, time = _breaker()
    _fail(breaker, times=3)
    time.now_s += 5
    with breaker.call(), pytest.raises(BreakerOpen):
        breaker.check()
    breaker.check()
    assert breaker.retry_in_s is None


def test_a_cancelled_try_lets_the_next_one_try() -> None:
    """A try that was hung up on is not waited for."""
    breaker, time = _breaker()
    _fail(breaker, times=3)
    time.now_s += 5
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    breaker.check()


def test_pauses_grow_while_tries_fail() -> None:
    """Each try that fails doubles the pause up to a limit, and a success begins anew."""
    breaker, time = _breaker()
    _fail(breaker, times=3)
    seen = []
    for _ in range(3):
        time.now_s += breaker.retry_in_s or 0
        _fail(breaker)
        seen.append(breaker.retry_in_s)
    assert seen == [10.0, 12.0, 12.0]
    time.now_s += 12
    with breaker.call():
        pass
    _fail(breaker, times=3)
    assert breaker.retry_in_s == 5.0


def test_calls_that_were_under_way_do_not_lengthen_the_pause() -> None:
    """Failures of calls that began before it opened change nothing."""
    breaker, time = _breaker()
    late = breaker.call()
    late.__enter__()
    _fail(breaker, times=3)
    time.now_s += 4
    error = errdefs.DeadlineExceeded("late")
    assert not late.__exit__(type(error), error, None)
    assert breaker.retry_in_s == 1.0
