"""Secrets of plugins, in /wherry/v1: given, listed, taken away, and told to nobody."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.idempotency import refuse_key
from services.gateway.service.secrets import NodeSecrets
from shared.contracts.secret import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretExtension:
    """The handlers, and what they need."""

    secrets: NodeSecrets

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.get("/secrets")(self.list)
        router.post("/secrets", status_code=204)(self.keep)
        router.delete("/secrets/{name}", status_code=204)(self.drop)
        router.post("/keys/rotate", status_code=204)(self.rotate)

    async def list(self) -> Secrets:
        """Show which secrets there are, and which plugins' settings name them."""
        return await self.secrets.list()

    async def keep(self, wish: models.SecretRequest) -> None:
        """Keep a secret, sealed; plugins have it from their next start on."""
        refuse_key()
        await self.secrets.keep(wish.name, wish.value(), replace=wish.replace)

    async def drop(self, name: str) -> None:
        """Delete a secret that no plugin's settings name."""
        refuse_key()
        await self.secrets.drop(name)

    async def rotate(self) -> None:
        """Give the node new keys for credentials and secrets, and seal all secrets anew."""
        refuse_key()
        await self.secrets.rotate()
