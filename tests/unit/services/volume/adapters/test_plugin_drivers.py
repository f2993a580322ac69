"""What the volume service keeps of the plugins that it is told of."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from services.volume.adapters.plugin_drivers import CallLimits, LatePluginDrivers
from shared.contracts.plugin import Plugin
from shared.contracts.store import GetInventory, Inventory
from shared.plugin_rpc.legacy_folders import LegacyFolders
from tests.support.bus import FakeSender
from tests.support.gateway import plugin


def _drivers(sender: FakeSender, tmp_path: Path) -> LatePluginDrivers:
    return LatePluginDrivers(
        sender=sender,
        folders=LegacyFolders(sockets=tmp_path, specs=()),
        plugins=tmp_path,
        limits=CallLimits(create_s=1, call_s=1, list_s=1),
    )


def _is_kept(drivers: LatePluginDrivers) -> bool:
    """Tell the drivers of a new plugin; return whether they hold on to its record."""
    record = plugin()
    drivers.changed(record.plugin_id, record)
    known: weakref.ref[Plugin] = weakref.ref(record)
    del record
    gc.collect()
    return known() is not None


async def test_records_are_kept_once_a_plugin_was_asked_for(tmp_path: Path) -> None:
    """A node whose volumes are all local keeps no records of its plugins a second time."""
    store = FakeSender({GetInventory: Inventory(epoch="e", revision=1, plugins=())})
    drivers = _drivers(store, tmp_path)
    assert not _is_kept(drivers)

    assert await drivers.all() == ()

    assert _is_kept(drivers)
