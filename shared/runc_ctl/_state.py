"""A container as `state` and `list` tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class Status(StrEnum):
    """Where a container is in its life."""

    CREATING = "creating"
    #: Its namespaces stand and its init process waits for `start`.
    CREATED = "created"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    #: The init process has ended; `delete` is left to do.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What runc holds for an id."""

    id: str
    status: Status
    #: Of the init process as the host counts; 0 once it has ended.
    pid: int
    bundle: Path
    rootfs: Path
    created: datetime
    #: Name of the user that made it; `state` of runc 1.1 leaves it empty.
    owner: str
    oci_version: str
    annotations: Mapping[str, str]

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Container:
        """Read one container. Raises LookupError, TypeError or ValueError on other JSON."""
        return cls(
            id=str(fields["id"]),
            status=Status(fields["status"]),
            pid=int(fields["pid"]),
            bundle=Path(fields["bundle"]),
            rootfs=Path(fields["rootfs"]),
            created=datetime.fromisoformat(fields["created"]),
            owner=str(fields.get("owner", "")),
            oci_version=str(fields.get("ociVersion", "")),
            annotations=dict(fields.get("annotations") or {}),
        )
