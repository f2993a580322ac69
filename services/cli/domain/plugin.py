"""Plugins as the gateway shows them, and what they need to be granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from services.cli.domain.table import aligned

_HEADINGS = ("NAME", "ID", "ENABLED", "STATE", "RESTARTS", "REFERENCE")
_SHORT_ID = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin of the node."""

    plugin_id: str
    name: str
    reference: str
    enabled: bool
    state: str
    restarts: int
    #: How far the upgrade is that it is in; None for none.
    upgrade_phase: str | None = None

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's plugin."""
        return cls(
            plugin_id=shown["plugin_id"],
            name=shown["name"],
            reference=shown["reference"],
            enabled=shown["enabled"],
            state=shown["status"]["state"],
            restarts=shown["status"]["restarts"],
            upgrade_phase=(shown["status"].get("upgrading") or {}).get("phase"),
        )

    @property
    def shown_state(self) -> str:
        """Return the state, and how far its upgrade is."""
        return f"{self.state} (upgrade: {self.upgrade_phase})" if self.upgrade_phase else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """Something that a plugin needs to be granted."""

    name: str
    description: str
    value: tuple[str, ...]

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's privilege."""
        return cls(
            name=shown["name"], description=shown["description"], value=tuple(shown["value"])
        )

    def __str__(self) -> str:
        return f"{self.name}: [{' '.join(self.value)}]"


def listed(plugins: Sequence[Plugin]) -> str:
    """Return a table of plugins."""
    rows = [
        (
            plugin.name,
            plugin.plugin_id[:_SHORT_ID],
            str(plugin.enabled).lower(),
            plugin.shown_state,
            str(plugin.restarts),
            plugin.reference,
        )
        for plugin in plugins
    ]
    return "\n".join(aligned([_HEADINGS, *rows]))
