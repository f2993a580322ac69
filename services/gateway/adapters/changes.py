"""What other services publish, from their streams on the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from services.gateway.ports import Lost
from shared.bus.redis_bus import RedisBus
from shared.bus.tail import Gap
from shared.contracts.message import Message

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanges:
    """ports.Changes of one owner: messages of one type, others are passed over."""

    bus: RedisBus
    owner: str
    model: type[Message]

    async def tail(self) -> AsyncIterator[Message | Lost]:
        """Yield from the stream's end on, first Lost: what came before is not shown."""
        async for item in self.bus.tail(self.owner, after="$"):
            if isinstance(item, Gap):
                log.info("reading on behind a gap", owner=self.owner, reason=item.reason)
                yield Lost()
                continue
            envelope, _ = item
            if envelope.message_type == self.model.TYPE:
                try:
                    yield envelope.read(self.model)
                except ValidationError:
                    log.exception("unreadable fact", owner=self.owner, id=envelope.message_id)
                    yield Lost()
