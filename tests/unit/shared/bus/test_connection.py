"""Waits between tries."""

from __future__ import annotations

from shared.bus.connection import Backoff


def test_waits_double_up_to_the_cap_with_jitter() -> None:
    """Each wait is between half and the whole of its step."""
    backoff = Backoff(base_s=0.1, cap_s=1.0)

    for longest in (0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
        assert longest / 2 <= backoff.next_s() <= longest


def test_waits_begin_again_after_a_success() -> None:
    """The first wait after a reset is the shortest."""
    backoff = Backoff(base_s=0.1, cap_s=100.0)
    for _ in range(50):
        backoff.next_s()
    backoff.reset()

    assert backoff.next_s() <= 0.1
