"""What the node's services have for one another and for operators, in /wherry/v1."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from services.gateway import ports
from shared.contracts.capability import ListRegistrations, Registrations
from shared.metrics.exposition import CONTENT_TYPE
from shared.metrics.node import NodeMetrics

_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExtension:
    """The handlers, and what they need."""

    sender: ports.Sender
    metrics: NodeMetrics

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.get("/metrics", response_class=PlainTextResponse)(self.show_metrics)
        router.get("/registrations")(self.list_registrations)

    async def show_metrics(self) -> PlainTextResponse:
        """Show what all services of the node have counted, as Prometheus reads it."""
        return PlainTextResponse(await self.metrics.render(), media_type=CONTENT_TYPE)

    async def list_registrations(self) -> Registrations:
        """Show which services handle plugins of a capability, and what they give to them."""
        return await self.sender.send(ListRegistrations(), timeout_s=_LIMIT_S)
