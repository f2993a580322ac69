"""What runc wrote to its log: JSON lines, and the odd line of plain text."""

from __future__ import annotations

import json
from dataclasses import dataclass

#: Levels after which runc gives up (logrus's names).
_GIVING_UP = frozenset({"error", "fatal", "panic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of runc's log."""

    #: logrus's level; empty for a line that was not JSON.
    level: str
    message: str
    #: RFC 3339, as runc wrote it; empty for a line that was not JSON.
    time: str = ""

    @property
    def is_error(self) -> bool:
        """Whether runc complains here, rather than tells."""
        return self.level in _GIVING_UP


def read_log(text: str) -> tuple[LogEntry, ...]:
    """Read a log in runc's JSON format; lines of another form are kept as they are."""
    return tuple(_entry(line) for line in text.splitlines() if line.strip())


def _entry(line: str) -> LogEntry:
    try:
        fields = json.loads(line)
        return LogEntry(
            level=str(fields["level"]),
            message=str(fields["msg"]).strip(),
            time=str(fields.get("time", "")),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return LogEntry(level="", message=line.strip())
