"""What the verbs need of the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from services.cli.domain.garbage import Garbage
from services.cli.domain.health import NodeHealth, ServiceHealth
from services.cli.domain.job import Job, Step
from services.cli.domain.log import LogEntry, LogWish
from services.cli.domain.login import Login
from services.cli.domain.plugin import Plugin, Privilege
from services.cli.domain.process import Processes
from services.cli.domain.reference import References
from services.cli.domain.stats import Stats
from services.cli.domain.supervision import Supervision


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


class Api(Protocol):
    """What the gateway does with plugins and jobs; all raise what it answers, or Unavailable."""

    def plugins(self) -> tuple[Plugin, ...]:
        """Return all plugins, sorted by name."""

    def plugin(self, name: str) -> Plugin:
        """Return a plugin by name, id or the beginning of its id."""

    def logs(self, name: str, wish: LogWish) -> Iterator[LogEntry]:
        """Yield entries of a plugin's output as they come."""

    def processes(self, name: str, ps_args: str) -> Processes:
        """List a plugin's processes."""

    def stats(self, *, stream: bool) -> Iterator[tuple[Stats, ...]]:
        """Yield what all enabled plugins use, each second or once."""

    def references(self, name: str) -> References:
        """Return who holds a plugin."""

    def supervision(self, name: str) -> Supervision:
        """Return how a plugin is supervised."""

    def supervise(self, name: str, part: str, body: Mapping[str, Any] | None) -> Supervision:
        """Set a part of how a plugin is supervised; None lets the author's count again."""

    def privileges(self, remote: str, login: Login) -> tuple[Privilege, ...]:
        """Return what a plugin at a registry needs."""

    def begin(self, verb: str, body: Mapping[str, Any], login: Login) -> Job:
        """Begin a job that goes on without us."""

    def jobs(self) -> tuple[Job, ...]:
        """Return all jobs that are kept, newest first."""

    def job(self, job_id: str) -> Job:
        """Return a job."""

    def cancel(self, job_id: str) -> Job:
        """Wish a job ended."""

    def collect_garbage(self, *, dry_run: bool) -> Garbage:
        """Delete the blobs that nothing needs, or only tell which."""

    def follow(self, job_id: str, after: str) -> Iterator[Step | Job]:
        """Yield what a job tells from a position on, and at last the job."""


class Logins(Protocol):
    """The logins that the docker CLI keeps."""

    def find(self, domain: str) -> Login:
        """Return the login for a registry; raises InvalidArgument for a file that is broken."""


class Display(Protocol):
    """Shows a job on its way."""

    def show(self, step: Step) -> None:
        """Show what the job told."""

    def note(self, text: str) -> None:
        """Show a line of our own."""

    def close(self) -> None:
        """Leave what is shown as it is."""


class TableDisplay(Protocol):
    """Shows a table that changes."""

    def show(self, rows: Sequence[Sequence[str]]) -> None:
        """Show these rows in place of those before."""

    def close(self) -> None:
        """Leave what is shown as it is."""
