"""Who did what, as people are shown it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.cli.domain.table import aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Some records of the audit, oldest first, as the gateway tells them."""

    records: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Audit:
        """Read the gateway's answer."""
        return cls(records=tuple(answer["records"]))

    def to_text(self) -> str:
        """Return a table for a person."""
        rows = [("SEQ", "TIME", "WHO", "WHAT", "STATUS")]
        rows += [_row(record["seq"], record["request"]) for record in self.records]
        return "\n".join(aligned(rows))

    def to_json(self) -> str:
        """Return the records for programs, one a line."""
        return "\n".join(json.dumps(record) for record in self.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerified:
    """Whether the chain is whole."""

    records: int
    last_seq: int
    head: str
    broken_seq: int | None
    problem: str

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> AuditVerified:
        """Read the gateway's answer."""
        return cls(**{name: answer[name] for name in cls.__dataclass_fields__})

    def to_text(self) -> str:
        """Say it to a person."""
        if self.broken_seq is not None:
            return (
                f"The audit is broken at record {self.broken_seq}: {self.problem}.\n"
                f"Its {self.records} records before that fit. Compare event.db with a backup, and "
                "the logs, which have the hash of each record."
            )
        return (
            f"The audit is whole: {self.records} records.\n"
            f"Note this elsewhere, and give it to --noted later: {self.last_seq}:{self.head}"
        )


def _row(seq: int, request: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    at = datetime.fromtimestamp(request["time_ns"] / 1e9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = " ".join(f"{key}={value}" for key, value in sorted(request["query"].items()))
    what = f"{request['method']} {request['path']} {named}".rstrip()
    status = str(request["status"]) if request["status"] else request["phase"]
    return str(seq), at, request["who"], what, status
