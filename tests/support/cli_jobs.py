"""Jobs as the command line's tests need them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from services.cli.domain.archive import Archive
from services.cli.domain.audit import Audit, AuditVerified
from services.cli.domain.exec import ExecWish, Size
from services.cli.domain.garbage import Garbage
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
from services.cli.domain.trace import Answered, ShownTrace, Span
from shared import errdefs


def job(state: str = "queued", **more: Any) -> Job:
    """Return a pull."""
    return Job(
        **{
            "job_id": "j1",
            "kind": "pull",
            "state": state,
            "name": "p:latest",
            "remote": "docker.io/library/p:latest",
            "cancelled": False,
            "attempt": 1,
            "created_at_ns": 10**9,
            "finished_at_ns": None,
            "error": None,
            **more,
        }
    )


def step(position: int = 1, status: str = "Waiting", about: str = "l1", **more: Any) -> Step:
    """Return a step about a layer."""
    return Step(position=f"{position}-0", status=status, about=about, **more)


#: What the gateway answers of a plugin that nobody said anything of, but its policy.
SUPERVISION: Mapping[str, Any] = {
    "plugin": "p:latest",
    "restart_policy": {"name": "on-failure", "maximum_retry_count": 3},
    "health": {
        "test": ["NONE"],
        "interval_s": 10.0,
        "timeout_s": 5.0,
        "start_period_s": 0.0,
        "retries": 3,
        "on_unhealthy": "nothing",
    },
    "requires": [],
    "origins": {"restart_policy": "operator", "health": "default", "requires": "default"},
}


@dataclass
class FakeConnection:
    """A ports.Connection that receives what the test says."""

    receives: list[bytes]
    sent: bytes = b""
    has_ended: threading.Event = field(default_factory=threading.Event)
    is_closed: bool = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def end(self) -> None:
        self.has_ended.set()

    def receive(self) -> bytes:
        return self.receives.pop(0) if self.receives else b""

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeApi:
    """A ports.Api of one plugin and one job."""

    needed: tuple[Privilege, ...] = ()
    #: What each following yields; an exception in it is raised.
    follows: list[Sequence[Step | Job | BaseException]] = field(default_factory=list)
    #: What each look at the job gives.
    looks: list[Job | Exception] = field(default_factory=list)
    begun: list[tuple[str, Mapping[str, Any], Login]] = field(default_factory=list)
    supervised: list[tuple[str, str, Mapping[str, Any] | None]] = field(default_factory=list)
    asked: list[tuple[str, Login]] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)
    #: What each reading of the output yields; an exception in it is raised.
    logged: list[Sequence[LogEntry | BaseException]] = field(default_factory=list)
    log_wishes: list[LogWish] = field(default_factory=list)
    archive: Archive | None = None
    brought: bytes = b""
    dropped: list[str] = field(default_factory=list)
    loaded: list[Mapping[str, Any]] = field(default_factory=list)
    exec_wishes: list[ExecWish] = field(default_factory=list)
    #: What an exec is attached to, and how it ends.
    connection: FakeConnection | None = None
    code: int | None = 0
    sizes: list[Size | None] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    detached: list[str] = field(default_factory=list)
    switched: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    answered: Answered = field(default_factory=lambda: Answered(trace_id=""))
    trace_wishes: list[tuple[int, str, bool, bool]] = field(default_factory=list)
    #: What each look at the trace shows; the last one stays.
    kept: list[ShownTrace] = field(default_factory=list)

    def switch(self, name: str, verb: str, query: Mapping[str, str]) -> Answered:
        self.switched.append((name, verb, dict(query)))
        return self.answered

    def traces(self, *, limit: int, plugin: str, everything: bool, slow: bool) -> tuple[Span, ...]:
        self.trace_wishes.append((limit, plugin, everything, slow))
        return tuple(root for kept in self.kept[-1:] for root in kept.trace.roots)

    def trace(self, trace_id: str) -> ShownTrace:
        if not self.kept:
            raise errdefs.NotFound(f"trace {trace_id} not found")
        return self.kept.pop(0) if len(self.kept) > 1 else self.kept[0]

    def keep_secret(self, name: str, value: bytes, *, replace: bool) -> None:
        raise AssertionError("no test keeps secrets here")

    def secrets(self) -> Secrets:
        return Secrets(secrets=())

    def drop_secret(self, name: str) -> None:
        raise AssertionError("no test drops secrets here")

    def rotate_keys(self) -> None:
        raise AssertionError("no test rotates keys here")

    def audit(self, last: int) -> Audit:
        return Audit(records=())

    def verify_audit(self, noted: tuple[int, str] | None) -> AuditVerified:
        return AuditVerified(records=0, last_seq=0, head="h", broken_seq=None, problem="")

    def collect_garbage(self, *, dry_run: bool) -> Garbage:
        return Garbage(digests=("sha256:aa",), size_bytes=7, is_deleted=not dry_run)

    def plugins(self) -> tuple[Plugin, ...]:
        return (self.plugin("p"),)

    def plugin(self, name: str) -> Plugin:
        return Plugin(
            plugin_id="a" * 64,
            name=f"host:5000/{name}:v1",
            reference=f"other:5000/{name}:v1",
            enabled=False,
            state="stopped",
            restarts=0,
        )

    def logs(self, name: str, wish: LogWish) -> Iterator[LogEntry]:
        self.log_wishes.append(wish)
        for item in self.logged.pop(0):
            if isinstance(item, BaseException):
                raise item
            yield item

    def processes(self, name: str, ps_args: str) -> Processes:
        return Processes(titles=("PID", "CMD"), rows=(("7", ps_args),))

    def stats(self, *, stream: bool) -> Iterator[tuple[Stats, ...]]:
        yield ()

    def diff(self, old: str, new: str, login: Login) -> PluginDiff:
        self.asked.append((new, login))
        return PluginDiff(body={"old": old, "new": new})

    def record(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def save(self, names: Sequence[str]) -> Iterator[bytes]:
        yield b"saved "
        yield " ".join(names).encode()

    def bring(self, source: IO[bytes]) -> Archive:
        self.brought = source.read()
        assert self.archive is not None
        return self.archive

    def drop(self, archive_id: str) -> None:
        self.dropped.append(archive_id)

    def load(self, body: Mapping[str, Any]) -> Job:
        self.loaded.append(body)
        return job()

    def create_exec(self, name: str, wish: ExecWish) -> str:
        self.exec_wishes.append(wish)
        return "x"

    def attach_exec(self, exec_id: str, size: Size | None) -> FakeConnection:
        assert self.connection is not None
        self.sizes.append(size)
        return self.connection

    def detach_exec(self, exec_id: str) -> None:
        self.detached.append(exec_id)

    def exit_code(self, exec_id: str) -> int | None:
        return self.code

    def resize_exec(self, exec_id: str, size: Size) -> None:
        self.sizes.append(size)

    def signal_exec(self, exec_id: str, signal: str) -> None:
        self.signals.append(signal)

    def references(self, name: str) -> References:
        return References(plugin=self.plugin(name).name, references=())

    def supervision(self, name: str) -> Supervision:
        return Supervision.from_json(SUPERVISION)

    def supervise(self, name: str, part: str, body: Mapping[str, Any] | None) -> Supervision:
        self.supervised.append((name, part, body))
        return Supervision.from_json(SUPERVISION)

    def privileges(self, remote: str, login: Login) -> tuple[Privilege, ...]:
        self.asked.append((remote, login))
        return self.needed

    def begin(self, verb: str, body: Mapping[str, Any], login: Login) -> Job:
        self.begun.append((verb, body, login))
        return job()

    def jobs(self) -> tuple[Job, ...]:
        return (job(),)

    def job(self, job_id: str) -> Job:
        look = self.looks.pop(0)
        if isinstance(look, Exception):
            raise look
        return look

    def cancel(self, job_id: str) -> Job:
        self.cancels.append(job_id)
        return job("running", cancelled=True)

    def follow(self, job_id: str, after: str) -> Iterator[Step | Job]:
        self.positions.append(after)
        for item in self.follows.pop(0):
            if isinstance(item, BaseException):
                raise item
            yield item


@dataclass
class FakeDisplay:
    """A ports.Display that keeps what it was shown."""

    shown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_closed: bool = False

    def show(self, step: Step) -> None:
        self.shown.append(step.status)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        self.is_closed = True
