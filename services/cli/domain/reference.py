"""Who holds a plugin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.cli.domain.table import aligned, duration

_HEADINGS = ("OWNER", "CAPABILITY", "HELD", "ENDS IN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A lease on a plugin."""

    owner: str
    capability: str
    since_ns: int
    until_ns: int

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's reference."""
        return cls(**{field.name: shown[field.name] for field in dataclasses.fields(cls)})

    def row(self, now_ns: int) -> tuple[str, ...]:
        """Return the cells of a table."""
        held, left = now_ns - self.since_ns, self.until_ns - now_ns
        return (self.owner, self.capability, _seconds(held), _seconds(left))


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """All leases on a plugin."""

    plugin: str
    references: tuple[Reference, ...]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        found = tuple(map(Reference.from_json, body["references"]))
        return cls(plugin=body["plugin"], references=found)

    def to_json(self) -> str:
        """Return them for programs."""
        return json.dumps([dataclasses.asdict(one) for one in self.references], indent=2)

    def to_text(self, now_ns: int) -> str:
        """Return a table, or a line that says that there is nothing to show."""
        if not self.references:
            return f"nobody holds plugin {self.plugin}"
        return "\n".join(aligned([_HEADINGS, *(one.row(now_ns) for one in self.references)]))


def _seconds(time_ns: int) -> str:
    return duration(time_ns // 10**9)
