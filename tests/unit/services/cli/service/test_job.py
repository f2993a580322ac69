"""Following a job from the command line."""

from __future__ import annotations

import signal

import pytest

from services.cli.adapters.terminal import interrupts_held
from services.cli.domain.job import Job
from services.cli.service.job import JobRun
from shared import errdefs
from tests.support.cli_jobs import FakeApi, FakeDisplay, job, step

_AWAY = errdefs.Unavailable("the gateway does not answer")
_DONE = job("done")


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def _run(api: FakeApi, display: FakeDisplay, clock: _Clock | None = None) -> JobRun:
    clock = clock or _Clock()
    return JobRun(api=api, display=display, held=interrupts_held, pause=clock.pause, clock=clock)


def test_a_job_is_followed_to_its_end() -> None:
    """All steps are shown, and what a push made is kept."""
    made = step(2, "", "", made={"Digest": "sha256:d"})
    api, display = FakeApi(follows=[[step(1), made, _DONE]]), FakeDisplay()
    run = _run(api, display)
    assert run.run(job) == _DONE
    assert display.shown == ["Waiting", ""]
    assert run.made == made
    assert display.is_closed


@pytest.mark.parametrize("ending", [job("running"), _AWAY])
def test_a_gateway_that_restarts_is_waited_for(ending: Job | Exception) -> None:
    """Following goes on behind what was seen, once the gateway is back."""
    looks: list[Job | Exception] = [_AWAY, _AWAY, job("running")] if ending is _AWAY else []
    api = FakeApi(follows=[[step(7), ending], [_DONE]], looks=list(looks))
    display = FakeDisplay()
    assert _run(api, display).run(job) == _DONE
    assert api.positions == ["", "7-0"]
    assert bool(display.notes) == bool(looks)


def test_a_gateway_that_stays_away_is_given_up() -> None:
    """After half a minute the command ends with the error."""
    api, clock = FakeApi(follows=[[_AWAY]], looks=[_AWAY] * 100), _Clock()
    display = FakeDisplay()
    with pytest.raises(errdefs.Unavailable):
        _run(api, display, clock).run(job)
    assert 30 < clock.now < 32
    assert display.is_closed


def test_the_first_ctrl_c_cancels() -> None:
    """Ctrl-C cancels the job, says so, and waits for its end."""
    failed = job("failed", cancelled=True)
    api = FakeApi(follows=[[step(3), KeyboardInterrupt()], [failed]])
    display = FakeDisplay()
    assert _run(api, display).run(job) == failed
    assert api.cancels == ["j1"]
    assert "cancelling job j1" in display.notes[0]
    assert api.positions == ["", "3-0"]


def test_the_second_ctrl_c_leaves() -> None:
    """Who presses Ctrl-C again does not wait."""
    api = FakeApi(follows=[[KeyboardInterrupt()], [KeyboardInterrupt()]])
    display = FakeDisplay()
    with pytest.raises(KeyboardInterrupt):
        _run(api, display).run(job)
    assert api.cancels == ["j1"]
    assert display.is_closed


def test_ctrl_c_before_the_job_is_known_cancels_it() -> None:
    """What was begun while Ctrl-C was pressed is cancelled as soon as it is known."""
    failed = job("failed", cancelled=True)
    api, display = FakeApi(follows=[[failed]]), FakeDisplay()

    def begin() -> Job:
        signal.raise_signal(signal.SIGINT)
        return job()

    assert _run(api, display).run(begin) == failed
    assert api.cancels == ["j1"]
    assert display.is_closed


def test_a_gateway_that_does_not_answer_is_left_by_the_second_ctrl_c() -> None:
    """Who presses Ctrl-C twice before the job is known does not wait for it."""
    api, display = FakeApi(), FakeDisplay()
    run = _run(api, display)
    # What a shell begins in the background ignores it.
    before = signal.getsignal(signal.SIGINT)

    def begin() -> Job:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return job()

    with pytest.raises(KeyboardInterrupt):
        run.run(begin)
    assert run.job is None
    assert not api.cancels
    assert signal.getsignal(signal.SIGINT) is before
