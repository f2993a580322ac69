"""Logs and traces of a process, set up by one call each, after the fork."""

from __future__ import annotations

from shared.telemetry.logs import set_up_logs
from shared.telemetry.traces import set_up_traces, shut_down

__all__ = ["set_up_logs", "set_up_traces", "shut_down"]
