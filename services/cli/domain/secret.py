"""Secrets of plugins, as people are shown them: by name, never by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.cli.domain.table import aligned, cell, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """All secrets of the node, as the gateway tells them."""

    secrets: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Secrets:
        """Read the gateway's answer."""
        return cls(secrets=tuple(answer["secrets"]))

    def to_text(self, now_ns: int) -> str:
        """Return a table for a person."""
        rows = [("NAME", "CREATED", "CHANGED", "USED BY")]
        for one in self.secrets:
            ages = (_age(one[key], now_ns) for key in ("created_at_ns", "changed_at_ns"))
            rows.append((one["name"], *ages, cell(", ".join(one["used_by"]) or None)))
        return "\n".join(aligned(rows))


def _age(at_ns: int, now_ns: int) -> str:
    return duration((now_ns - at_ns) // 10**9)
