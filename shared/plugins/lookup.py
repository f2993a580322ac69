"""Plugins by what they can do."""

from __future__ import annotations

from shared.bus.ports import Sender
from shared.contracts.plugin import Plugin
from shared.contracts.reference import provides
from shared.contracts.store import GetInventory

_LIMIT_S = 5.0


async def managed_by_capability(sender: Sender, capability: str) -> tuple[Plugin, ...]:
    """Return the enabled plugins with a capability, in any version, by name.

    Raises what the store answers, and Unavailable without one.
    """
    inventory = await sender.send(GetInventory(), timeout_s=_LIMIT_S)
    found = (p for p in inventory.plugins if p.enabled and provides(p, capability))
    return tuple(sorted(found, key=lambda plugin: plugin.name))
