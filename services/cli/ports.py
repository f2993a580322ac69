"""What the verbs need of the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.cli.domain.health import NodeHealth, ServiceHealth


class Gateway(Protocol):
    """The gateway's extension API."""

    def health(self) -> NodeHealth | None:
        """Return how the node is; None when nobody answers."""

    def count_plugins(self) -> Mapping[str, int] | None:
        """Return how many plugins are in which state; None when nobody can tell."""

    def shut_down(self) -> None:
        """Stop all plugins, still wanted; raises what the node answers, or Unavailable."""


class Process(Protocol):
    """A process that is watched."""

    @property
    def pid(self) -> int:
        """Its pid."""

    def ends_within(self, timeout_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""

    def terminate(self) -> None:
        """Send it SIGTERM; one that is gone is fine."""

    def has_child(self, pid: int) -> bool:
        """Tell whether *pid* is its child."""


class Parent(Protocol):
    """The parent of the node's processes."""

    def find(self) -> Process | None:
        """Return the parent that runs, or None."""

    def start(self) -> Process:
        """Start one that outlives this command, its output appended to the log."""

    def last_words(self) -> str:
        """Return the last warnings and errors since the parent was started here."""


class Host(Protocol):
    """What this host has of the node."""

    def check(self) -> None:
        """Raise PermissionDenied without root, Unavailable when a program is missing."""

    def check_root(self) -> None:
        """Raise PermissionDenied without root."""

    def running(self) -> tuple[ServiceHealth, ...]:
        """Return what is known, from the locks, of the processes that run."""

    def has_traces(self) -> bool:
        """Tell whether an executor was here and not shut down: containers, mounts, cgroups."""

    def clean(self) -> list[str]:
        """Remove what the node left in its exec root; return what is there and stays."""
