"""Pauses between a process's runs."""

from __future__ import annotations

from services.parent.domain.backoff import Backoff

_BACKOFF = Backoff(first_s=0.1, cap_s=30.0, lasting_s=60.0)


def test_pauses_double_up_to_the_cap() -> None:
    """Each failure in a row doubles the pause, until the cap."""
    pauses = [_BACKOFF.pause_s(failures) for failures in range(1, 12)]

    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_a_million_failures() -> None:
    """However often a process failed, the pause is the cap."""
    assert _BACKOFF.pause_s(1_000_000) == 30.0


def test_failures_are_counted() -> None:
    """A run that was short adds to those before it."""
    assert _BACKOFF.failures(3, 59.9) == 4


def test_a_lasting_run_is_a_new_beginning() -> None:
    """After a run that lasted, the failures before it no longer count."""
    assert _BACKOFF.failures(7, 60.0) == 1
