"""A job as the gateway shows it, and what it tells on its way."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from services.cli.domain.table import aligned, duration

_HEADINGS = ("JOB", "KIND", "STATE", "PLUGIN", "REMOTE", "AGE")
_OVER = frozenset({"done", "failed"})
_LAYER = re.compile(r"[0-9a-f]{12}")
_DOWNLOADING = "Downloading"
_EXTRACTING = "Extracting"
_NS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something a job told, about a layer where *about* names one."""

    position: str
    status: str = ""
    about: str = ""
    current: int | None = None
    total: int | None = None
    #: What a push made, in Docker's keys.
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_about_layer(self) -> bool:
        """Tell whether *about* is a layer or blob, and not a tag."""
        return _LAYER.fullmatch(self.about) is not None

    def __str__(self) -> str:
        return f"{self.about}: {self.status}" if self.about else self.status

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Self:
        """Read a line of progress."""
        return cls(
            position=line["position"],
            status=line.get("status", ""),
            about=line.get("id", ""),
            current=line.get("current"),
            total=line.get("total"),
            made=line.get("aux") or {},
        )


class Phases:
    """What each layer is at; it is unpacked while it is downloaded, and the download counts."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def of(self, layer: str) -> str:
        """Return the phase that a layer is shown in; empty for a new one."""
        return self._shown.get(layer, "")

    def advance(self, step: Step) -> bool:
        """Take a step in; tell whether it is to be shown."""
        is_beside = step.status == _EXTRACTING and self.of(step.about) == _DOWNLOADING
        if not is_beside:
            self._shown[step.about] = step.status
        return not is_beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A pull, push or upgrade."""

    job_id: str
    kind: str
    state: str
    name: str
    remote: str
    cancelled: bool
    attempt: int
    created_at_ns: int
    finished_at_ns: int | None
    #: What it failed with, as errors are written.
    error: Mapping[str, Any] | None
    #: Of an upgrade.
    strategy: str | None = None
    phase: str | None = None

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's job."""
        return cls(
            job_id=shown["job_id"],
            kind=shown["kind"],
            state=shown["state"],
            name=shown["name"],
            remote=shown["remote"],
            cancelled=shown.get("cancelled", False),
            attempt=shown.get("attempt", 0),
            strategy=shown.get("strategy"),
            phase=shown.get("phase"),
            created_at_ns=shown["created_at_ns"],
            finished_at_ns=shown.get("finished_at_ns"),
            error=shown.get("error"),
        )

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended, well or not."""
        return self.state in _OVER

    @property
    def shown_state(self) -> str:
        """Return the state, and that somebody wishes the job ended."""
        if self.cancelled and self.state != "done":
            return "cancelled" if self.is_over else "being cancelled"
        return self.state

    def to_text(self) -> str:
        """Return all of it for a person."""
        rows = [
            ("job", self.job_id),
            ("kind", self.kind),
            ("state", self.shown_state),
            ("plugin", self.name),
            ("remote", self.remote),
            ("attempt", str(self.attempt)),
            ("created", _moment(self.created_at_ns)),
        ]
        if self.strategy is not None:
            rows[3:3] = [("strategy", self.strategy), ("phase", self.phase or "")]
        if self.finished_at_ns is not None:
            took_s = (self.finished_at_ns - self.created_at_ns) // _NS
            rows.append(("finished", f"{_moment(self.finished_at_ns)}, after {duration(took_s)}"))
        if self.error is not None:
            rows.append(("error", str(self.error.get("message", ""))))
        return "\n".join(aligned(rows))


def listed(jobs: Sequence[Job], now_ns: int) -> str:
    """Return a table of jobs."""
    rows = [
        (
            job.job_id,
            job.kind,
            job.shown_state,
            job.name,
            job.remote,
            duration((now_ns - job.created_at_ns) // _NS),
        )
        for job in jobs
    ]
    return "\n".join(aligned([_HEADINGS, *rows]))


def _moment(ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(ns // _NS, tz=datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")
