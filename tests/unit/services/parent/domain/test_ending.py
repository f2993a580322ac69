"""The end of a process, in words."""

from __future__ import annotations

import signal

import pytest

from services.parent.domain.ending import Ending


@pytest.mark.parametrize(
    ("wait_status", "how"),
    [
        (0, "exit status 0"),
        (3 << 8, "exit status 3"),
        (int(signal.SIGKILL), "killed by SIGKILL"),
        (int(signal.SIGSEGV) | 0x80, "killed by SIGSEGV"),
        (40, "killed by signal 40"),
        (None, "exit status unknown: it was started by an earlier parent"),
    ],
)
def test_how(wait_status: int | None, how: str) -> None:
    """An end is told by its exit status or the name of its signal."""
    assert Ending(pid=1, wait_status=wait_status).how == how
