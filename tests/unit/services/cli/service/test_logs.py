"""Output that is followed while the node comes and goes."""

from __future__ import annotations

import pytest

from services.cli.domain.log import LogEntry, LogWish
from services.cli.service.logs import LogRun
from shared import errdefs
from tests.support.cli_jobs import FakeApi

_AWAY = errdefs.Unavailable("nobody answers")


def _entry(second: int) -> LogEntry:
    return LogEntry(container_id="c-1", text=str(second), time_ns=second * 10**9)


def _run(api: FakeApi) -> LogRun:
    times = iter(range(1000))
    return LogRun(
        api=api, warn=lambda _: None, pause=lambda _: None, clock=lambda: float(next(times))
    )


def test_followed_over_a_restart_of_the_node() -> None:
    """What is asked for again begins behind the last line that was shown."""
    api = FakeApi(logged=[[_entry(1), _entry(2), _AWAY], [_AWAY], [_entry(3)]])
    wish = LogWish(follow=True, tail="5")
    assert [entry.text for entry in _run(api).run("p", wish)] == ["1", "2", "3"]
    assert api.log_wishes == [wish, *2 * [LogWish(follow=True, since="2.000000001")]]


def test_a_node_that_stays_away() -> None:
    """After half a minute the error is told."""
    api = FakeApi(logged=[[_AWAY]] * 100)
    with pytest.raises(errdefs.Unavailable):
        list(_run(api).run("p", LogWish(follow=True)))
    assert len(api.log_wishes) < 40


def test_not_followed() -> None:
    """Who does not follow is told at once that there may be more."""
    api = FakeApi(logged=[[_entry(1), _AWAY]])
    with pytest.raises(errdefs.Unavailable):
        list(_run(api).run("p", LogWish()))
