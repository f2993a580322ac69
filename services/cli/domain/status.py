"""What `wherry status` says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.cli.domain.health import ServiceHealth
from services.cli.domain.table import aligned, cell, duration

_HEADINGS = ("SERVICE", "STATE", "PID", "VERSION", "UP", "LAG", "PENDING", "MESSAGE")


class State(StrEnum):
    """A node as a whole."""

    HEALTHY = "healthy"
    UNHEALTHY = "not healthy"
    NOT_RUNNING = "not running"


_EXIT_STATUS = {State.HEALTHY: 0, State.UNHEALTHY: 1, State.NOT_RUNNING: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A node, its services and how many plugins it has in which state."""

    node: str
    state: State
    #: What a person should know besides.
    note: str = ""
    root: str
    exec_root: str
    socket: str
    log: str
    #: None when nobody could be asked.
    plugins: Mapping[str, int] | None = None
    services: tuple[ServiceHealth, ...] = ()

    @property
    def exit_status(self) -> int:
        """Return 0 for a healthy node, 1 for one that is not, 3 for one that does not run."""
        return _EXIT_STATUS[self.state]

    def to_json(self) -> str:
        """Return all of it for a program."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def to_text(self, now_ns: int) -> str:
        """Return all of it for a person."""
        lines = [
            f"node       {self.node}: {self.state}",
            *([f"           {self.note}"] if self.note else []),
            f"socket     unix://{self.socket}",
            f"root       {self.root}",
            f"exec root  {self.exec_root}",
            f"log        {self.log}",
            *([f"plugins    {_counted(self.plugins)}"] if self.plugins is not None else []),
        ]
        if self.services:
            rows = [_HEADINGS, *(_row(service, now_ns) for service in self.services)]
            lines += ["", *aligned(rows)]
        return "\n".join(lines)


def _counted(plugins: Mapping[str, int]) -> str:
    total = sum(plugins.values())
    states = ", ".join(f"{count} {state}" for state, count in sorted(plugins.items()))
    return f"{total} ({states})" if states else "none"


def _row(service: ServiceHealth, now_ns: int) -> tuple[str, ...]:
    states = {True: "healthy", False: "not healthy", None: "running"}
    up_s = None if service.started_at_ns is None else (now_ns - service.started_at_ns) // 10**9
    return (
        service.service,
        states[service.healthy],
        cell(service.pid),
        cell(service.version),
        "-" if up_s is None else duration(up_s),
        cell(service.lag),
        cell(service.pending),
        service.message,
    )
