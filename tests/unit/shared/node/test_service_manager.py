from __future__ import annotations

import pytest

from shared.node.service_manager import watchdog_s


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param({}, None, id="no manager"),
        pytest.param({"WATCHDOG_USEC": "20000000"}, 20.0, id="for whoever is started"),
        pytest.param({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "7"}, 1.5, id="for us"),
        pytest.param({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "8"}, None, id="for another"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="nonsense"),
    ],
)
def test_interval_of_the_watchdog(env: dict[str, str], expected: float | None) -> None:
    """A process must show that it lives if WATCHDOG_USEC says so, to it."""
    assert watchdog_s(env, 7) == expected
