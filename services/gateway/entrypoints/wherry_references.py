"""Who holds a plugin, in /wherry/v1: leases listed, acquired, renewed and released."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from services.gateway.entrypoints import wherry_models as models
from services.gateway.service.references import References
from shared.contracts.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceExtension:
    """The handlers, and what they need."""

    references: References

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        path = "/plugins/{name:path}/references"
        router.get(path)(self.list_references)
        router.post(path)(self.acquire)
        # An owner's two parts have no slash, so the rest is the plugin's name, whatever it has.
        router.delete(f"{path}/{{kind}}/{{owner_id}}", status_code=204)(self.release)

    async def list_references(self, name: str) -> models.References:
        """Show who holds a plugin: what disable and remove need force against."""
        listed = await self.references.list(name)
        return models.References(plugin=listed.plugin.name, references=listed.references)

    async def acquire(self, name: str, wish: models.AcquireRequest) -> Reference:
        """Hold an enabled plugin, or go on holding it: a repeat renews the lease."""
        return await self.references.acquire(
            name, owner=wish.owner, capability=wish.capability, ttl_s=wish.ttl_s
        )

    async def release(self, name: str, kind: str, owner_id: str) -> None:
        """Hold a plugin no more; a repeat is fine."""
        await self.references.release(name, f"{kind}/{owner_id}")
