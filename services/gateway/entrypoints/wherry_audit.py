"""Who did what, in /wherry/v1: for admins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from services.gateway import ports
from shared.contracts.audit import AuditPage, AuditVerified, ReadAudit, VerifyAudit

_READ_LIMIT_S = 10.0
#: A million records are computed in some seconds.
_VERIFY_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExtension:
    """The handlers, and what they need."""

    sender: ports.Sender

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.get("/audit")(self.read)
        router.get("/audit/verify")(self.verify)

    async def read(
        self,
        after: Annotated[int | None, Query(ge=0, description="go on behind this `seq`")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> AuditPage:
        """Show the last records of the audit, or those behind one, oldest first."""
        return await self.sender.send(
            ReadAudit(after_seq=after, limit=limit), timeout_s=_READ_LIMIT_S
        )

    async def verify(
        self,
        noted_seq: Annotated[int | None, Query(ge=1, description="a record")] = None,
        noted_hash: Annotated[str, Query(description="its hash, as it was noted")] = "",
    ) -> AuditVerified:
        """Compute the chain anew; `broken_seq` tells where it does not fit."""
        noted = VerifyAudit(noted_seq=noted_seq, noted_hash=noted_hash)
        return await self.sender.send(noted, timeout_s=_VERIFY_LIMIT_S)
