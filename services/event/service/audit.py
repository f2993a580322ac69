"""The audit's handlers: one takes records in, the others let it be read and verified."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.event import ports
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.audit import (
    AuditPage,
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
        """Take a record in; a redelivered one adds nothing.

        Raises Unavailable while the disk is full or fails: the bus keeps the record, and those
        behind it, and delivers it again.
        """
        try:
            record = await self.audit.append(request, delivery.message_id)
        except errdefs.ResourceExhausted as error:
            raise errdefs.Unavailable(error.message) from error
        if record is not None:
            # Where logs go elsewhere, this proves later what the chain was.
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

    async def read(self, query: ReadAudit, _delivery: Delivery) -> AuditPage:
        """Answer with a piece of the audit."""
        return await self.audit.page(query)

    async def verify(self, noted: VerifyAudit, _delivery: Delivery) -> AuditVerified:
        """Answer whether the chain is whole."""
        found = await self.audit.verify(noted)
        if found.broken_seq is not None:
            log.error("audit broken", seq=found.broken_seq, reason=found.problem)
        return found
