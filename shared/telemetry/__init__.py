"""Logs and traces of a process, set up by one call each, after the fork; the context between."""

from __future__ import annotations

from shared.telemetry.logs import set_up_logs
from shared.telemetry.traces import TraceSettings, set_up_traces, shut_down

__all__ = ["TraceSettings", "set_up_logs", "set_up_traces", "shut_down"]
