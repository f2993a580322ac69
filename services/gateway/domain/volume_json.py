"""Docker's JSON of volumes and of what they take."""

from __future__ import annotations

import time
from typing import Any, Final

from shared.contracts.volume import Volume, VolumeList, VolumesPruned, VolumeUsage

_NS: Final = 10**9
#: Go's zero time: nobody knows.
_UNKNOWN: Final = "0001-01-01T00:00:00Z"


def volume_object(volume: Volume) -> dict[str, Any]:
    """Return Docker's volume object."""
    shown: dict[str, Any] = {
        "CreatedAt": _rfc3339(volume.created_at_ns),
        "Driver": volume.driver,
        "Labels": volume.labels,
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Options": volume.options,
        "Scope": volume.scope,
    }
    return {**shown, "Status": volume.status} if volume.status else shown


def volume_list(listed: VolumeList) -> dict[str, Any]:
    """Return the answer to GET /volumes."""
    # A list does not show what a plugin tells besides.
    plain = (one.model_copy(update={"status": {}}) for one in listed.volumes)
    return {
        "Volumes": [volume_object(one) for one in plain],
        "Warnings": list(listed.warnings) or None,
    }


def prune_report(pruned: VolumesPruned) -> dict[str, Any]:
    """Return the answer to POST /volumes/prune."""
    return {"VolumesDeleted": list(pruned.names), "SpaceReclaimed": pruned.reclaimed_bytes}


def usage_object(usage: VolumeUsage) -> dict[str, Any]:
    """Return a volume with what it takes."""
    data = {"RefCount": len(usage.volume.holders), "Size": usage.size_bytes}
    return {**volume_object(usage.volume), "UsageData": data}


def _rfc3339(ns: int | None) -> str:
    if ns is None:
        return _UNKNOWN
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // _NS))
