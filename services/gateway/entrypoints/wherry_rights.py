"""What a plugin may do and use, in /wherry/v1."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from services.gateway.entrypoints import wherry_models as models
from services.gateway.service.verbs import Verbs
from shared.contracts.plugin import Plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsExtension:
    """The handlers, and what they need."""

    verbs: Verbs

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.post("/plugins/{name:path}/grant")(self.grant)
        router.put("/plugins/{name:path}/resources")(self.limit)

    async def grant(self, name: str, wish: models.GrantRequest) -> Plugin:
        """Grant a plugin what it asks for, and show it; its next start counts on it."""
        return await self.verbs.grant(name, tuple(one.to_docker() for one in wish.privileges))

    async def limit(self, name: str, wish: models.LimitRequest) -> Plugin:
        """Limit a stopped plugin from its next start on, and show it; null is no limit."""
        return await self.verbs.limit(name, wish.resources())
