"""The audit's handlers: one takes records in, the others let it be read and verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.event import ports
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.audit import (
    AuditPage,
    AuditRecord,
    AuditVerified,
    ReadAudit,
    RequestAudited,
    VerifyAudit,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditService:
    """The handlers and what they need."""

    audit: ports.Audit

    async def take_in(self, request: RequestAudited, delivery: Delivery) -> None:
        """Take a record in; see take_in_all."""
        await self.take_in_all(((request, delivery),))

    async def take_in_all(self, arrived: Sequence[tuple[RequestAudited, Delivery]]) -> None:
        """Take records in, all of them at once; a redelivered one adds nothing.

        Raises Unavailable while the disk is full or fails: the bus keeps the records, and those
        behind them, and delivers them again.
        """
        try:
            records = await self.audit.append(
                [(request, delivery.message_id) for request, delivery in arrived]
            )
        except errdefs.ResourceExhausted as error:
            raise errdefs.Unavailable(error.message) from error
        for record in records:
            _log(record)

    async def read(self, query: ReadAudit, _delivery: Delivery) -> AuditPage:
        """Answer with a piece of the audit."""
        return await self.audit.page(query)

    async def verify(self, noted: VerifyAudit, _delivery: Delivery) -> AuditVerified:
        """Answer whether the chain is whole."""
        found = await self.audit.verify(noted)
        if found.broken_seq is not None:
            log.error("audit broken", seq=found.broken_seq, reason=found.problem)
        return found


def _log(record: AuditRecord) -> None:
    """Log a record: where logs go elsewhere, this proves later what the chain was."""
    request = record.request
    log.info(
        "audit",
        seq=record.seq,
        hash=record.hash,
        phase=request.phase.value,
        client=request.who,
        method=request.method,
        path=request.path,
        status=request.status,
    )
