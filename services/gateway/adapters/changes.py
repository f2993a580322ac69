"""What other services publish, from their streams on the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog
from opentelemetry.trace import INVALID_SPAN, Span
from pydantic import ValidationError

from services.gateway.ports import Lost
from shared.bus import names, tracing
from shared.bus.envelope import Envelope
from shared.bus.position import order
from shared.bus.tail import Gap
from shared.contracts.message import Message
from shared.plugins.events import Tailing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanges:
    """ports.Changes of one owner: messages of one type, others are passed over."""

    bus: Tailing
    owner: str
    model: type[Message]
    #: Tells whether an epoch's revision was learnt in another way: it is passed over, unparsed.
    is_known: Callable[[str, int], bool] = lambda _epoch, _revision: False
    #: Whether taking a message up is a span.
    is_traced: bool = False

    async def tail(self) -> AsyncIterator[Message | Lost]:
        """Yield from the stream's end on, first Lost: what came before is not shown."""
        async for item in self.bus.tail(self.owner, after="$"):
            if isinstance(item, Gap):
                log.info("reading on behind a gap", owner=self.owner, reason=item.reason)
                yield Lost()
                continue
            envelope, arrival = item
            if envelope.message_type != self.model.TYPE:
                continue
            revision, _ = order(arrival.stream_id)
            if not self.is_known(envelope.epoch, revision):
                # It is not the current span: who takes the message up may never come back.
                span = self._span(envelope)
                try:
                    yield self._read(envelope)
                finally:
                    span.end()

    def _span(self, envelope: Envelope) -> Span:
        if not self.is_traced:
            return INVALID_SPAN
        return tracing.following(names.changes(envelope.node, self.owner), envelope)

    def _read(self, envelope: Envelope) -> Message | Lost:
        try:
            return envelope.read(self.model)
        except ValidationError:
            log.exception("unreadable fact", owner=self.owner, id=envelope.message_id)
            return Lost()
