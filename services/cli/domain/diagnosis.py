"""What `wherry doctor` says of a host: findings, each with what to do about it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum

from services.cli.domain.table import aligned


class Verdict(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    #: Some plugins, or some of what they may ask for, will not work.
    WARNING = "warning"
    #: No plugin will.
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict = Verdict.OK
    found: str
    #: What to do; empty when nothing is to be done.
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """Return 1 when plugins can't be run here, else 0."""
        return int(any(finding.verdict is Verdict.PROBLEM for finding in self.findings))

    def to_json(self) -> str:
        """Return all of it for a program."""
        return json.dumps([dataclasses.asdict(finding) for finding in self.findings], indent=2)

    def to_text(self) -> str:
        """Return all of it for a person: a line a finding, then what to do."""
        lines = aligned([(one.verdict, one.subject, one.found) for one in self.findings])
        advice = [f"{one.subject}: {one.advice}" for one in self.findings if one.advice]
        return "\n".join([*lines, *(["", *advice] if advice else [])])
