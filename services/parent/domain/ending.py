"""The end of a process, in words."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A process that is no more."""

    pid: int
    #: As wait(2) has it; None for a process that was not our child.
    wait_status: int | None

    @property
    def how(self) -> str:
        """Say how it died."""
        if self.wait_status is None:
            return "exit status unknown: it was started by an earlier parent"
        code = os.waitstatus_to_exitcode(self.wait_status)
        if code >= 0:
            return f"exit status {code}"
        return f"killed by {_signal_name(-code)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time signal has no name
