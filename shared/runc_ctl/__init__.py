"""The runc command line as typed coroutines.

Runs runc and reads its answers; it knows nothing of images, networks or supervisors, and
holds no state: what is true of a container, runc says.
"""

from __future__ import annotations

from ._criu_opts import CheckpointOpts, RestoreOpts
from ._errors import (
    ContainerExists,
    ContainerNotFound,
    ContainerNotRunning,
    PermissionDenied,
    RuncError,
    RuncNotFound,
    Timeout,
    Unsupported,
    WrongState,
    error_from_log,
)
from ._features import Features, Version
from ._io import Stdio
from ._log import LogEntry
from ._opts import CreateOpts, DeleteOpts, EventsOpts, ExecOpts, KillOpts, RunOpts, UpdateOpts
from ._runc import Runc
from ._state import Container, Status
from ._stats import Event, Memory, Stats

__all__ = [
    "CheckpointOpts",
    "Container",
    "ContainerExists",
    "ContainerNotFound",
    "ContainerNotRunning",
    "CreateOpts",
    "DeleteOpts",
    "Event",
    "EventsOpts",
    "ExecOpts",
    "Features",
    "KillOpts",
    "LogEntry",
    "Memory",
    "PermissionDenied",
    "RestoreOpts",
    "RunOpts",
    "Runc",
    "RuncError",
    "RuncNotFound",
    "Stats",
    "Status",
    "Stdio",
    "Timeout",
    "Unsupported",
    "UpdateOpts",
    "Version",
    "WrongState",
    "error_from_log",
]
