"""Who holds a plugin: asked of the store, which alone knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway import ports
from shared.contracts.reference import (
    GetMode,
    GetPlugin,
    GotPlugin,
    ListReferences,
    Reference,
    ReferenceList,
)
from shared.idempotency.key import message_id

#: Longer than a plugin may take to start, for whose end an acquisition waits.
_MARGIN_S: Final = 30.0
_LIST_LIMIT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The leases on plugins; all raise what the store answers."""

    sender: ports.Sender
    ready_timeout_s: float

    async def list(self, name: str) -> ReferenceList:
        """Return who holds a plugin."""
        return await self.sender.send(ListReferences(name=name), timeout_s=_LIST_LIMIT_S)

    async def acquire(self, name: str, *, owner: str, capability: str, ttl_s: int) -> Reference:
        """Hold a plugin for *ttl_s* seconds from now, whoever held it in this name before."""
        got = await self._get(
            GetPlugin(
                name=name, capability=capability, mode=GetMode.ACQUIRE, owner=owner, ttl_s=ttl_s
            )
        )
        assert got.reference is not None
        return got.reference

    async def release(self, name: str, owner: str) -> None:
        """Hold a plugin no more; one that is not held is fine."""
        await self._get(GetPlugin(name=name, mode=GetMode.RELEASE, owner=owner))

    async def _get(self, command: GetPlugin) -> GotPlugin:
        limit_s = self.ready_timeout_s + _MARGIN_S
        return await self.sender.send(command, timeout_s=limit_s, message_id=message_id(command))
