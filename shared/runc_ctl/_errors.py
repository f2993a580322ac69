"""Errors, and the one place that reads runc's wording.

RuncError
├── ContainerExists
├── ContainerNotFound
├── PermissionDenied
├── RuncNotFound
├── Timeout
├── Unsupported
└── WrongState
    └── ContainerNotRunning
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from ._log import LogEntry, read_log


class RuncError(Exception):
    """A runc call that failed, with what runc said about it."""

    #: What to do about it, where that is known.
    hint: ClassVar[str] = ""

    #: The failure in runc's words, or ours where runc said nothing.
    message: str
    #: Subcommand and container, such as ``runc exec c1``.
    subject: str
    #: The whole command line. May hold secrets (``exec --env``), so it is not in ``str()``.
    command: tuple[str, ...]
    #: runc's exit status, -n if signal n killed it, None if it gave none.
    returncode: int | None
    #: Everything runc logged during the call.
    log: tuple[LogEntry, ...]

    def __init__(
        self,
        message: str,
        *,
        subject: str = "runc",
        command: Sequence[str] = (),
        returncode: int | None = None,
        log: Sequence[LogEntry] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.command = tuple(command)
        self.returncode = returncode
        self.log = tuple(log)

    def __str__(self) -> str:
        what = f"{self.subject}: {self.message}"
        return f"{what}; {self.hint}" if self.hint else what


class ContainerExists(RuncError):
    """The id is taken in this state root."""

    hint = "delete that container first or take another id"


class ContainerNotFound(RuncError):
    """The state root holds no such container."""

    hint = "see `runc list`, and whether the state root (--root) is the right one"


class PermissionDenied(RuncError):
    """The kernel refused runc something the spec asks for."""

    hint = (
        "run as root, and compare what the spec asks (capabilities, rlimits, oomScoreAdj, "
        "mounts, devices) with the capabilities of this process (`capsh --print`)"
    )


class RuncNotFound(RuncError):
    """There is no runc to run."""

    hint = "install runc (Debian: apt install runc) or set Runc.command to its path"


class Timeout(RuncError):
    """runc did not finish within Runc.timeout_s and was killed."""

    hint = "look for a hanging hook or a process in uninterruptible sleep, or raise timeout_s"


class Unsupported(RuncError):
    """The installed runc is too old for the subcommand or the flag."""

    hint = "see `runc --version`; `features` needs runc 1.1 or newer"


class WrongState(RuncError):
    """The container's state forbids the operation (running, paused, created …)."""

    hint = "see `runc state`"


class ContainerNotRunning(WrongState):
    """The container's init process has ended, or was never started."""


# First match wins. Wordings of runc 1.0 to 1.3, where `…` stands for an id, and of crun 1.8:
_WORDINGS: tuple[tuple[re.Pattern[str], type[RuncError]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        # "container does not exist"; before 1.1 "container "…" does not exist"
        (r"container (\S+ )?does not exist", ContainerNotFound),
        # "container with given ID already exists"; before 1.1 "container with id exists: …"
        (r"container with (given id already|id) exists", ContainerExists),
        # "container not running or created: paused" is about a container that does run
        (r"container not running or created", WrongState),
        (r"container not running|container with id .* is not running", ContainerNotRunning),
        (r"cannot (exec|start) (in )?a (stopped container|container that has stopped)",
         ContainerNotRunning),
        (r"cannot start an already running container", WrongState),
        (r"container (is )?(not )?paused|in a paused container", WrongState),
        (r"cannot delete container .* that is not stopped", WrongState),
        (r"container init still running|cannot (checkpoint|restore|pause) .*container",
         WrongState),
        # crun names the files that it misses
        (r"error opening file .*/status.: no such file|cannot open directory '.*': no such file",
         ContainerNotFound),
        (r"container \S+ already exists", ContainerExists),
        (r"container \S+ is not in .created. or .stopped. state", WrongState),
        (r"cannot open .*/exec\.fifo.: no such file", WrongState),
        (r"no help topic for|flag provided but not defined", Unsupported),
        (r"operation not permitted|permission denied", PermissionDenied),
    )
)  # fmt: skip


def error_from_log(
    text: str,
    *,
    subject: str = "runc",
    command: Sequence[str] = (),
    returncode: int | None = None,
) -> RuncError:
    """Make the error that a failed call's log tells of.

    *text* is the content of runc's log file in JSON format, or its stderr. For calls this
    package did not make itself: conmon, for one, runs ``runc create`` and hands on its words.
    """
    entries = read_log(text)
    message = _message(entries) or _silent(returncode)
    kind = next((kind for words, kind in _WORDINGS if words.search(message)), RuncError)
    return kind(message, subject=subject, command=command, returncode=returncode, log=entries)


def _message(entries: Sequence[LogEntry]) -> str:
    complaints = [entry for entry in entries if entry.is_error]
    if not complaints:
        return next((entry.message for entry in reversed(entries) if not entry.level), "")
    # runc's last error is the one it gave up on. If that is the silence of a child ("can't get
    # final child's PID from pipe: EOF"), the child said why before, as its own fatal error.
    *before, last = complaints
    causes = [f" ({entry.message})" for entry in before if entry.level == "fatal"]
    return last.message + "".join(causes)


def _silent(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"killed by signal {-returncode}"
    return f"exit status {returncode} without a word in its log"
