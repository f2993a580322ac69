"""What the bus wakes this service for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.event.domain.feed import PluginTold
from services.event.service.audit import AuditService
from services.event.service.feed import EventService
from shared.bus.ports import CommandHandler, FactHandler
from shared.contracts.audit import ReadAudit, RequestAudited, VerifyAudit
from shared.contracts.event import ReadFeed
from shared.contracts.message import Command, Message
from shared.contracts.node import RowsChanged
from shared.contracts.volume import VolumesChanged


def commands(
    service: EventService, audit: AuditService
) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each command that the feed and the audit take."""
    return {
        ReadFeed: service.read_feed,
        ReadAudit: audit.read,
        VerifyAudit: audit.verify,
    }


def audited(audit: AuditService) -> Mapping[type[Message], FactHandler]:
    """Return the handler of what the gateway tells of requests."""
    return {RequestAudited: audit.take_in}


def facts(service: EventService) -> Mapping[str, Mapping[type[Message], FactHandler]]:
    """Return, by the service that publishes them, the handlers of what becomes events."""
    return {
        "store": {PluginTold: service.take_in},
        "volume": {VolumesChanged: service.take_in},
        "controller": {RowsChanged: service.take_in},
    }
