"""Docker's pauses."""

from __future__ import annotations

import pytest

from shared.plugin_rpc import backoff


@pytest.mark.parametrize(
    ("retries", "pause_s"), [(0, 1), (1, 2), (2, 4), (4, 16), (6, 30), (10, 30)]
)
def test_i04_pauses_double_up_to_half_a_minute(retries: int, pause_s: float) -> None:
    """Each pause is twice the one before, and none is longer than 30 s."""
    assert backoff.pause_s(retries) == pause_s


@pytest.mark.parametrize(
    ("pause_s", "gives_up"), [(1, False), (2, False), (10, False), (30, True), (40, True)]
)
def test_i05_gives_up_when_the_next_try_comes_after_half_a_minute(
    pause_s: float, gives_up: bool
) -> None:
    """A pause that ends 30 s after the begin or later is not waited for."""
    assert backoff.gives_up(0.0, pause_s) is gives_up


def test_elapsed_time_counts() -> None:
    """What was waited before is part of the half minute."""
    assert backoff.gives_up(26.0, 4.0)
    assert not backoff.gives_up(25.0, 4.0)
