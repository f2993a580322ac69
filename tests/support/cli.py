"""Fakes of what the command line's verbs need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.cli.domain.health import NodeHealth, ServiceHealth
from shared import errdefs


def health(*, healthy: bool = True, pids: tuple[int, ...] = (11,), message: str = "") -> NodeHealth:
    """Return a report of services with these pids."""
    services = tuple(
        ServiceHealth(service=f"service{pid}", healthy=healthy, pid=pid, message=message)
        for pid in pids
    )
    return NodeHealth(healthy=healthy, services=services)


@dataclass
class FakeGateway:
    """Answers from a list, its last item for ever."""

    answers: list[NodeHealth | None]
    plugins: Mapping[str, int] | None = None
    refuses: errdefs.Error | None = None
    shut_downs: int = 0

    def health(self) -> NodeHealth | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def count_plugins(self) -> Mapping[str, int] | None:
        return self.plugins

    def shut_down(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.shut_downs += 1


@dataclass
class FakeProcess:
    """A parent with children; it ends when it is told to, or by itself after some waits."""

    pid: int = 10
    children: frozenset[int] = frozenset({11})
    ends_after: int | None = None
    heeds: bool = True
    terminated: bool = False

    def ends_within(self, timeout_s: float) -> bool:
        if self.ends_after is not None:
            self.ends_after -= 1
            return self.ends_after < 0
        return self.terminated and self.heeds

    def terminate(self) -> None:
        self.terminated = True

    def has_child(self, pid: int) -> bool:
        return pid in self.children


@dataclass
class FakeParent:
    """Finds the parent that runs, or starts the one given."""

    startable: FakeProcess = field(default_factory=FakeProcess)
    running: FakeProcess | None = None
    starts: int = 0

    def find(self) -> FakeProcess | None:
        return self.running

    def start(self) -> FakeProcess:
        self.starts += 1
        self.running = self.startable
        return self.startable

    def last_words(self) -> str:
        return "the last words" if self.starts else ""


@dataclass
class FakeHost:
    """A host that has what it is given."""

    refuses: errdefs.Error | None = None
    processes: tuple[ServiceHealth, ...] = ()
    traces: bool = False
    left: list[str] = field(default_factory=list)
    cleaned: int = 0
    is_root: bool = True

    def check_root(self) -> None:
        if not self.is_root:
            raise errdefs.PermissionDenied("only root")

    def check(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    def running(self) -> tuple[ServiceHealth, ...]:
        return self.processes

    def has_traces(self) -> bool:
        return self.traces

    def clean(self) -> list[str]:
        self.cleaned += 1
        return self.left
