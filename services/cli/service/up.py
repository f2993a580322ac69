"""`wherry up`: a node that is up and healthy."""

from __future__ import annotations

import time
from dataclasses import dataclass

from services.cli.domain.health import NodeHealth
from services.cli.ports import Gateway, Host, Parent, Process
from shared import errdefs

#: Pause between two looks; the parent's end cuts it short.
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A parent that runs."""

    parent: Process
    #: Whether it was started here.
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """Starts a parent, unless one runs, and waits until all its services are well."""

    gateway: Gateway
    parent: Parent
    host: Host
    log: str
    timeout_s: float = 60.0
    #: How long the gateway alone may complain: of plugins that it asks and that do not answer.
    complaint_limit_s: float | None = None

    def run(self) -> bool:
        """Return whether the node was started; False means that it was up already.

        Raises PermissionDenied, Unavailable saying what the log says, DeadlineExceeded.
        """
        return self.finish(self.begin())

    def begin(self) -> Begun:
        """Start a parent, unless one runs; raises PermissionDenied, Unavailable."""
        self.host.check_root()
        running = self.parent.find()
        if running is None:
            self.host.check()
        return Begun(parent=running or self.parent.start(), is_new=running is None)

    def finish(self, begun: Begun) -> bool:
        """Wait until all services are well, as `run` does."""
        self._wait(begun.parent)
        return begun.is_new

    def _wait(self, parent: Process) -> None:
        began = time.monotonic()
        deadline = began + self.timeout_s
        health = self.gateway.health()
        while not _is_up(health, parent):
            if self.complaint_limit_s is not None and health and health.is_gateway_s_alone:
                deadline = min(deadline, time.monotonic() + self.complaint_limit_s)
            if parent.ends_within(_PAUSE_S):
                raise errdefs.Unavailable(f"the node did not start\n{self._log()}")
            if time.monotonic() > deadline:
                raise errdefs.DeadlineExceeded(
                    f"the node is not healthy after {time.monotonic() - began:.0f} s: "
                    f"{_why(health)}; it is left running: look with `wherry status`\n{self._log()}"
                )
            health = self.gateway.health()

    def _log(self) -> str:
        words = self.parent.last_words()
        return f"{words}\nthe whole log is {self.log}" if words else f"its log is {self.log}"


def _is_up(health: NodeHealth | None, parent: Process) -> bool:
    """Tell whether all are well and of this parent: an earlier one's may still be answering."""
    return (
        health is not None
        and health.healthy
        and all(s.pid is not None and parent.has_child(s.pid) for s in health.services)
    )


def _why(health: NodeHealth | None) -> str:
    if health is None:
        return "the gateway does not answer"
    return health.complaints or "services of an earlier parent still run"
