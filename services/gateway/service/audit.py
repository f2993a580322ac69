"""Tells the audit who asks for what: before anything is done, and when it was answered."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.gateway import ports
from services.gateway.domain.rate import RateLimit
from shared import errdefs
from shared.contracts.audit import Phase, RequestAudited

#: What of a query names things; the rest is not kept.
_NAMING: Final = ("name", "remote", "force", "detach", "strategy", "noted_seq")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """What is told goes over the bus and waits there while the event service is away."""

    publisher: ports.Publisher
    clock_ns: Callable[[], int]
    clock: Callable[[], float]
    #: Of each address: who is refused again and again must not fill the audit.
    refusals: RateLimit = field(default_factory=lambda: RateLimit(per_second=1, burst=60))

    def of(
        self, *, who: str, method: str, path: str, query: Mapping[str, str], trace_id: str = ""
    ) -> RequestAudited:
        """Make what is told of a request when it begins."""
        return RequestAudited(
            request_id=uuid.uuid4().hex,
            phase=Phase.BEGUN,
            time_ns=self.clock_ns(),
            who=who,
            method=method,
            path=path,
            query={key: query[key] for key in _NAMING if key in query},
            trace_id=trace_id,
        )

    async def begin(self, request: RequestAudited) -> None:
        """Tell of a request before it is carried out; raises Unavailable, then it must not be."""
        await self._tell(request)

    async def end(self, request: RequestAudited, status: int) -> None:
        """Tell how a request was answered; what can't be told any more is logged."""
        ended = {"phase": Phase.ENDED, "status": status, "time_ns": self.clock_ns()}
        await self._tell_if_possible(request.model_copy(update=ended))

    async def refuse(self, request: RequestAudited, status: int, address: str) -> None:
        """Tell of a request that was not let in, unless its address has many of them."""
        if self.refusals.take(address, self.clock()):
            return
        refused = {"phase": Phase.REFUSED, "status": status}
        await self._tell_if_possible(request.model_copy(update=refused))

    async def _tell(self, request: RequestAudited) -> None:
        message_id = f"audit-{request.request_id}-{request.phase.value}"
        await self.publisher.publish(request, message_id=message_id)

    async def _tell_if_possible(self, request: RequestAudited) -> None:
        try:
            await self._tell(request)
        except errdefs.Error as error:
            log.warning(
                "not audited",
                client=request.who,
                method=request.method,
                path=request.path,
                status=request.status,
                reason=error.message,
            )
