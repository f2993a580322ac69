"""The service's messages: which handler each goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.volume.service.service import VolumeService
from shared.bus.ports import CommandHandler, FactHandler
from shared.contracts import volume as contracts
from shared.contracts.message import Command, Message
from shared.contracts.store import PluginChanged


def commands(service: VolumeService) -> Mapping[type[Command[Any]], CommandHandler]:
    """Return the handler of each command."""
    return {
        contracts.CreateVolume: service.volumes.create,
        contracts.GetVolume: service.volumes.get,
        contracts.RemoveVolume: service.volumes.remove,
        contracts.ListVolumes: service.listing.list_all,
        contracts.GetUsage: service.space.usage,
        contracts.PruneVolumes: service.space.prune,
        contracts.MountVolume: service.mounts.mount,
        contracts.UnmountVolume: service.mounts.unmount,
        contracts.GetVolumePath: service.mounts.path,
        contracts.ListMounts: service.mounts.list,
        contracts.ReleaseNode: service.mounts.release_node,
    }


def facts_of_store(service: VolumeService) -> Mapping[type[Message], FactHandler]:
    """Return the handler of each fact that the store publishes."""
    return {PluginChanged: service.renewals.plugin_changed}
