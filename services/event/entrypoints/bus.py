"""What the bus wakes this service for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.event.service import EventService
from shared.bus.ports import CommandHandler, FactHandler
from shared.contracts.event import ReadFeed
from shared.contracts.message import Command, Message
from shared.contracts.store import PluginChanged


def commands(service: EventService) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each command that the feed takes."""
    return {ReadFeed: service.read_feed}


def facts_of_store(service: EventService) -> Mapping[type[Message], FactHandler]:
    """Return the handler of each fact of the store that becomes events."""
    return {PluginChanged: service.plugin_changed}
