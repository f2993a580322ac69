"""What the verbs need of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Only for annotations: whoever brings a node up needs next to none of them.
    from services.cli.domain.archive import Archive
    from services.cli.domain.audit import Audit, AuditVerified
    from services.cli.domain.exec import ExecWish, Size
    from services.cli.domain.garbage import Garbage
    from services.cli.domain.health import NodeHealth, ServiceHealth
    from services.cli.domain.job import Job, Step
    from services.cli.domain.log import LogEntry, LogWish
    from services.cli.domain.login import Login
    from services.cli.domain.plugin import Plugin, Privilege
    from services.cli.domain.plugin_diff import PluginDiff
    from services.cli.domain.process import Processes
    from services.cli.domain.reference import References
    from services.cli.domain.secret import Secrets
    from services.cli.domain.stats import Stats
    from services.cli.domain.supervision import Supervision
    from services.cli.domain.ticket import Ticket
    from services.cli.domain.trace import Answered, ShownTrace, Span
    from services.cli.domain.upgrade import Change, Upgrade, UpgradedPlugin
    from shared.access import TokenFile


class Gateway(Protocol):
    """The gateway's extension API."""

    def health(self) -> NodeHealth | None:
        """Return how the node is; None when nobody answers."""

    def count_plugins(self) -> Mapping[str, int] | None:
        """Return how many plugins are in which state; None when nobody can tell."""

    def shut_down(self) -> None:
        """Stop all plugins, still wanted; raises what the node answers, or Unavailable."""


class ConsoleServer(Protocol):
    """Serves the console to browsers of this machine."""

    def serve(self, port: int, ticket: Ticket, ready: Callable[[str], None]) -> None:
        """Serve until interrupted; *ready* is told the first address; raises Conflict."""


class Browser(Protocol):
    """What shows pages to the person."""

    def open(self, address: str) -> None:
        """Show an address, if there is a screen for it."""


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


class Told(Enum):
    """What the foreground process is told."""

    STOP = "stop"
    RELOAD = "reload"
    #: Nothing: the process that it waits for has ended.
    ENDED = "ended"


class Foreground(Protocol):
    """The process that people and init systems end: ours."""

    def wait(self, process: Process) -> Told:
        """Wait until somebody tells us something, or *process* ends."""

    def use(self, env: Mapping[str, str]) -> None:
        """Start the next parent with this environment."""

    def notify(self, state: str) -> None:
        """Tell whoever started us how far we are, where they want to know."""


class PidFile(Protocol):
    """The file that says which process is the daemon."""

    def write(self) -> None:
        """Write our pid; raises Conflict while the process that the file names runs."""

    def remove(self) -> None:
        """Remove the file, if it is ours."""


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


class Connection(Protocol):
    """Raw bytes both ways."""

    def send(self, data: bytes) -> None:
        """Send bytes; raises OSError when nobody takes them."""

    def end(self) -> None:
        """Send no more."""

    def receive(self) -> bytes:
        """Wait for bytes and return them; nothing at the end."""

    def close(self) -> None:
        """Hang up."""


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

    def diff(self, old: str, new: str, login: Login) -> PluginDiff:
        """Compare two versions of a plugin."""

    def switch(self, name: str, verb: str, query: Mapping[str, str]) -> Answered:
        """Enable or disable a plugin; what the node answers is returned, too."""

    def traces(self, *, limit: int, plugin: str, everything: bool, slow: bool) -> tuple[Span, ...]:
        """Return the first spans of recent traces."""

    def trace(self, trace_id: str) -> ShownTrace:
        """Return a trace by its id, or the beginning of it."""

    def record(self, name: str) -> Mapping[str, Any]:
        """Return all that the gateway knows of a plugin."""

    def save(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield an archive of plugins."""

    def bring(self, source: IO[bytes]) -> Archive:
        """Bring an archive, and return what is in it."""

    def drop(self, archive_id: str) -> None:
        """Have an archive deleted; what is loaded from it goes on."""

    def load(self, body: Mapping[str, Any]) -> Job:
        """Begin to install a plugin from an archive."""

    def create_exec(self, name: str, wish: ExecWish) -> str:
        """Make a process beside a plugin's own, yet to be started; return its id."""

    def attach_exec(self, exec_id: str, size: Size | None) -> Connection:
        """Start an exec; what is sent and received from here on is its input and output."""

    def detach_exec(self, exec_id: str) -> None:
        """Start an exec that goes on by itself."""

    def exit_code(self, exec_id: str) -> int | None:
        """Return the exit code of an exec; None while it runs."""

    def resize_exec(self, exec_id: str, size: Size) -> None:
        """Say how large the terminal of an exec is."""

    def signal_exec(self, exec_id: str, signal: str) -> None:
        """Send a signal to an exec."""

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

    def keep_secret(self, name: str, value: bytes, *, replace: bool) -> None:
        """Have a secret kept."""

    def secrets(self) -> Secrets:
        """Return which secrets there are."""

    def drop_secret(self, name: str) -> None:
        """Delete a secret that nobody uses."""

    def rotate_keys(self) -> None:
        """Have the node take new keys, and seal all secrets to them."""

    def audit(self, last: int) -> Audit:
        """Return the last records of the audit."""

    def verify_audit(self, noted: tuple[int, str] | None) -> AuditVerified:
        """Have the audit's chain computed anew, and compared with the hash noted of a record."""

    def collect_garbage(self, *, dry_run: bool) -> Garbage:
        """Delete the blobs that nothing needs, or only tell which."""

    def follow(self, job_id: str, after: str) -> Iterator[Step | Job]:
        """Yield what a job tells from a position on, and at last the job."""


class Engine(Protocol):
    """Docker's own API; all raise what it answers, or Unavailable."""

    def get(self, path: str, **query: str) -> Any:
        """Return what a route shows."""

    def post(self, path: str, body: Mapping[str, Any], login: Login, **query: str) -> Any:
        """Send a wish; return the answer, None for an empty one."""

    def delete(self, path: str, **query: str) -> None:
        """Have something deleted."""


class UpgradeApi(Protocol):
    """What the gateway does with upgrades of many plugins; all raise what it answers."""

    def create_upgrade(self, body: Mapping[str, Any], login: Login) -> Upgrade:
        """Plan an upgrade, and begin it unless it is a dry run."""

    def upgrades(self) -> tuple[Upgrade, ...]:
        """Return all upgrades that are kept, newest first."""

    def upgrade(self, upgrade_id: str) -> Change:
        """Return an upgrade with all of its plugins."""

    def steer_upgrade(self, upgrade_id: str, verb: str) -> Upgrade:
        """Have an upgrade paused, resumed, cancelled or rolled back."""

    def follow_upgrade(self, upgrade_id: str, after: str) -> Iterator[Change]:
        """Yield what changes of an upgrade from a position on, until it is over."""


class UpgradeDisplay(Protocol):
    """Shows an upgrade on its way."""

    def show(self, upgrade: Upgrade, plugins: Sequence[UpgradedPlugin]) -> None:
        """Show it as it is now, with the plugins that have changed."""

    def note(self, text: str) -> None:
        """Show a line of our own."""

    def close(self) -> None:
        """Leave what is shown as it is."""


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


class Terminal(Protocol):
    """What the person types and sees."""

    def is_terminal(self) -> bool:
        """Tell whether a person types."""

    def size(self) -> Size | None:
        """Return its size; None where it has none."""

    def raw(self) -> AbstractContextManager[None]:
        """Hand on every key in the block, Ctrl-C, too."""

    def read(self) -> bytes:
        """Wait for input and return it; nothing at its end."""

    def write(self, data: bytes, *, is_error: bool) -> None:
        """Show output."""

    def on_signals(
        self, tell: Callable[[str], None], resized: Callable[[], None] | None
    ) -> AbstractContextManager[None]:
        """Tell of signals in the block instead of heeding them, and of another size."""


class Tokens(Protocol):
    """The node's tokens; both raise errdefs that say what to do."""

    def read(self) -> TokenFile:
        """Return the tokens."""

    def change(self, change: Callable[[TokenFile], TokenFile]) -> None:
        """Replace the tokens by what *change* makes of them."""
