"""Docker's JSON of the things that pass: its keys, its order, a newline at the end."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic_core import to_json

from shared.contracts.event import FeedEvent
from shared.contracts.plugin import Plugin

_NS: Final = 10**9
#: Lines of events that some reader may still be without.
_LINES_KEPT: Final = 1_024


def encode(value: Any) -> bytes:
    """Encode as dockerd answers: compact, not ASCII only, ending with a newline."""
    return dense(value) + b"\n"


def dense(value: Any) -> bytes:
    """Encode without the newline, to be put together with others."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def plugin_object(plugin: Plugin) -> dict[str, Any]:
    """Return Docker's plugin object."""
    shown: dict[str, Any] = {
        "Config": plugin.config,
        "Enabled": plugin.enabled,
        "Id": plugin.plugin_id,
        "Name": plugin.name,
    }
    if plugin.reference:
        shown["PluginReference"] = plugin.reference
    return {**shown, "Settings": plugin.settings}


class EventLines:
    """Writes events, each once however many readers it has."""

    def __init__(self) -> None:
        #: By identity; an event is kept with its line, so that no other takes its place.
        self._written: dict[int, tuple[FeedEvent, bytes]] = {}

    def line(self, event: FeedEvent) -> bytes:
        """Return the line of an event."""
        known = self._written.get(id(event))
        if known is None:
            if len(self._written) >= _LINES_KEPT:
                self._written.clear()
            known = self._written[id(event)] = (event, event_line(event))
        return known[1]


def event_line(event: FeedEvent) -> bytes:
    """Return one line of GET /events; zero values of the lower-case keys are left out."""
    shown: dict[str, Any] = {
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": event.actor_id, "Attributes": event.attributes},
    }
    lower = {"scope": event.scope, "time": event.time_ns // _NS, "timeNano": event.time_ns}
    # Not by encode: an event came as JSON, has no odd text, and there are many.
    return to_json(shown | {key: value for key, value in lower.items() if value}) + b"\n"
