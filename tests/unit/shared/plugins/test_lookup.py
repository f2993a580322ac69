"""Plugins found by what they can do."""

from __future__ import annotations

from shared.contracts.store import GetInventory, Inventory
from shared.plugins.lookup import managed_by_capability
from tests.support.bus import FakeSender
from tests.unit.shared.plugins.test_events import OTHER, plugin


async def test_enabled_plugins_of_a_capability_are_found_by_name() -> None:
    """Neither disabled ones nor those of another capability; case and version don't count."""
    enabled = {"enabled": True}
    newer = plugin(OTHER, "docker.volumedriver/2.0").model_copy(
        update={**enabled, "name": "a:latest"}
    )
    older = plugin().model_copy(update=enabled)
    others = (plugin("3" * 64), plugin("4" * 64, "docker.logdriver/1.0").model_copy(update=enabled))
    inventory = Inventory(epoch="e", revision=1, plugins=(older, newer, *others))
    sender = FakeSender({GetInventory: inventory})

    assert await managed_by_capability(sender, "VolumeDriver") == (newer, older)
