"""A plugin's output as the gateway tells it: lines, and what became of the containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.cli.domain import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWish:
    """Which of the output is to be shown; times as seconds since the epoch."""

    since: str = ""
    until: str = ""
    #: A number, or `all`.
    tail: str = "all"
    follow: bool = False

    def query(self) -> dict[str, str]:
        """Return the parameters of the request."""
        return {
            "since": self.since,
            "until": self.until,
            "tail": self.tail,
            "follow": str(self.follow).lower(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line that a container wrote, or that it began, or ended."""

    container_id: str
    text: str = ""
    time_ns: int | None = None
    is_error: bool = False
    #: Whether the line goes on in the next one of its stream.
    is_partial: bool = False
    #: How the container ended, for a person.
    ended: str = ""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read the gateway's entry."""
        container_id = entry["container_id"]
        if (ended := entry.get("exit")) is not None:
            return cls(container_id=container_id, ended=_ended(ended))
        if (line := entry.get("line")) is None:
            return cls(container_id=container_id)
        return cls(
            container_id=container_id,
            text=line["text"],
            time_ns=line["time_ns"],
            is_error=line["stream"] == "stderr",
            is_partial=line.get("partial", False),
        )


class LogText:
    """Writes entries as `docker logs` does, and what became of containers between the lines."""

    def __init__(self, *, timestamps: bool) -> None:
        self._timestamps = timestamps
        self._container_id = ""
        #: Streams in the middle of a line.
        self._begun: set[bool] = set()

    def write(self, entry: LogEntry) -> tuple[str, bool]:
        """Return the text of an entry, which may be nothing, and whether it is for stderr."""
        before, self._container_id = self._container_id, entry.container_id
        if entry.time_ns is None:
            self._begun.clear()
            if entry.ended:
                return f"--- {entry.container_id} {entry.ended} ---\n", True
            return (f"--- {entry.container_id} started ---\n" if before else ""), True
        is_beginning = entry.is_error not in self._begun
        (self._begun.add if entry.is_partial else self._begun.discard)(entry.is_error)
        stamp = f"{moment.to_text(entry.time_ns)} " if self._timestamps and is_beginning else ""
        return f"{stamp}{entry.text}{'' if entry.is_partial else chr(10)}", entry.is_error


def _ended(shown: Mapping[str, Any]) -> str:
    if shown.get("oom_killed"):
        return "was killed by the kernel: out of memory"
    code = shown.get("exit_code")
    return "ended; its exit code is unknown" if code is None else f"exited with code {code}"
