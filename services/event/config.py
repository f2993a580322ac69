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

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> EventConfig:
        """Read WHERRY_EVENTS_KEEP; raises InvalidArgument."""
        return cls(node=node, events_keep=_events_keep(env))

    @property
    def database(self) -> Path:
        """Return the path of event.db."""
        return self.node.root / "event" / "event.db"


def _events_keep(env: Mapping[str, str]) -> int:
    text = env.get("WHERRY_EVENTS_KEEP") or "100000"
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < _DOCKERS_RING:
        raise errdefs.InvalidArgument(
            f"WHERRY_EVENTS_KEEP={text}: must be a number of events, {_DOCKERS_RING} or more"
        )
    return count
