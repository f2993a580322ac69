"""The event service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import errdefs
from shared.node.config import NodeConfig

#: What dockerd itself keeps; clients may count on finding that many.
_DOCKERS_RING = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class EventConfig:
    """Where the feed is kept, and how much of it."""

    node: NodeConfig
    #: The newest events that are kept however old they are.
    events_keep: int
    #: The newest records of the audit that are kept.
    audit_keep: int

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> EventConfig:
        """Read WHERRY_EVENTS_KEEP and WHERRY_AUDIT_KEEP; raises InvalidArgument."""
        return cls(
            node=node,
            events_keep=_count(env, "WHERRY_EVENTS_KEEP", 100_000, "events", _DOCKERS_RING),
            audit_keep=_count(env, "WHERRY_AUDIT_KEEP", 1_000_000, "records", 1),
        )

    @property
    def database(self) -> Path:
        """Return the path of event.db."""
        return self.node.root / "event" / "event.db"


def _count(env: Mapping[str, str], variable: str, default: int, what: str, least: int) -> int:
    text = env.get(variable) or str(default)
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < least:
        raise errdefs.InvalidArgument(
            f"{variable}={text}: must be a number of {what}, {least} or more"
        )
    return count
